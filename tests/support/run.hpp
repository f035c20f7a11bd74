// Runs a coroutine to its end on a context of its own, and sees to it that nothing is left behind.
//
//   run([&](log_capture& log) -> asio::awaitable<void> { ...; log.expect("..."); });
//
// Fails the test when the body throws, takes longer than the limit, leaves a handler or task behind, or when
// a line was logged that it did not expect.
#pragma once

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/signal.hpp"
#include "gotunnel/net/task_group.hpp"

#include "support/log_capture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <iostream>

namespace gotunnel::testing {

namespace asio = boost::asio;

template <class Body>
void run(Body body, duration limit = 20s) {
  log_capture log;
  asio::io_context context(1);
  bool ended = false;
  std::exception_ptr failure;
  auto start = [&body, &log] { return body(log); };
  asio::co_spawn(context, std::move(start), [&](const std::exception_ptr& thrown) {
    ended = true;
    failure = thrown;
  });
  context.run_for(limit);
  if (!ended || !context.stopped()) {
    // What still runs refers to what the test owns: neither can go before the other.
    std::cerr << boost::unit_test::framework::current_test_case().full_name()
              << (ended ? ": something was left running\n" : ": no end in time\n");
    std::abort();
  }
  if (failure) std::rethrow_exception(failure);
}

/// Gives every other task of this context a turn, `turns` times.
inline asio::awaitable<void> yield(int turns = 1) {
  const auto where = co_await asio::this_coro::executor;
  for (int i = 0; i < turns; ++i) co_await asio::post(where, asio::use_awaitable);
}

/// Waits until `condition` holds, looking at every turn of the loop; run() limits the wait.
template <class Condition>
asio::awaitable<void> until(Condition condition) {
  while (!condition()) co_await yield();
}

/// A length of time, for what must not happen meanwhile, and for what only time brings about.
inline asio::awaitable<void> pause(duration length) {
  const auto where = co_await asio::this_coro::executor;
  net::signal over(where);
  const net::deadline limit(where, length, [&over] { over.notify(); });
  while (!limit.expired()) co_await over.wait();
}

} // namespace gotunnel::testing
