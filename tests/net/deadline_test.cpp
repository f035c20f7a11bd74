#include "gotunnel/net/deadline.hpp"

#include "support/run.hpp"

#include <optional>

using namespace gotunnel;
using namespace gotunnel::testing;

BOOST_AUTO_TEST_SUITE(deadline_test)

BOOST_AUTO_TEST_CASE(an_expired_deadline_acts_once_and_says_so) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    int acted = 0;
    const net::deadline limit(where, 1ms, [&acted] { ++acted; });
    BOOST_TEST(!limit.expired());
    co_await until([&limit] { return limit.expired(); });
    co_await pause(2ms);
    BOOST_TEST(acted == 1);
  });
}

BOOST_AUTO_TEST_CASE(a_dropped_deadline_does_nothing_even_when_its_handler_is_queued) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    int acted = 0;
    std::optional<net::deadline> early;
    std::optional<net::deadline> late;
    // Both are due: the handler of the first drops the second, whose handler is queued behind it.
    early.emplace(where, 0ms, [&late] { late.reset(); });
    late.emplace(where, 0ms, [&acted] { ++acted; });
    {
      const net::deadline dropped(where, 0ms, [&acted] { ++acted; });
    }
    co_await pause(2ms);
    BOOST_TEST(!late.has_value());
    BOOST_TEST(acted == 0);
  });
}

BOOST_AUTO_TEST_CASE(an_action_may_drop_its_own_deadline) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    std::optional<net::deadline> limit;
    const auto acted = std::make_shared<int>(0);
    limit.emplace(where, 0ms, [&limit, acted] {
      limit.reset();
      ++*acted; // the action outlives its deadline
    });
    co_await until([&limit] { return !limit.has_value(); });
    co_await yield();
    BOOST_TEST(*acted == 1);
  });
}

BOOST_AUTO_TEST_CASE(a_wait_ends_with_the_task_that_waits) {
  run([](log_capture&) -> asio::awaitable<void> {
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    tasks.spawn("sleeper", pause(1h));
    co_await yield(3);
    tasks.cancel();
    co_await tasks.join();
  });
}

BOOST_AUTO_TEST_SUITE_END()
