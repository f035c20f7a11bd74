// "Something changed": what tasks of one worker wait on until another task of that worker tells them to look
// again.
//
//   while (!condition) co_await changed.wait();         // and elsewhere: condition = true; changed.notify();
//
// A condition variable without a lock: wait() returns after the next notify(), never before; a notify() that
// nobody waits for is forgotten, so the condition is checked first. Single thread. The owner outlives the
// waiters.
#pragma once

#include "gotunnel/net/task.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <stdexcept>
#include <utility>

namespace gotunnel::net {

class signal {
public:
  /// `where` is of an io_context, as every worker's is.
  explicit signal(const executor& where) : timer_(loop_of(where), timer::time_point::max()) {}

  asio::awaitable<void> wait() {
    awaited_ = true;
    [[maybe_unused]] auto [ignored] = co_await timer_.async_wait(token);
  }
  void notify() {
    if (std::exchange(awaited_, false)) timer_.cancel();
  }

private:
  // A steady_timer with an executor of 8 bytes instead of 56: a visitor has three signals at each end.
  using loop = asio::io_context::executor_type;
  using clock = std::chrono::steady_clock;
  using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, loop>;

  static const loop& loop_of(const executor& where) {
    const auto* const found = where.target<loop>();
    if (found == nullptr) throw std::invalid_argument("a signal belongs to an io_context");
    return *found;
  }

  timer timer_;          // never expires; cancelling it wakes the waiters
  bool awaited_ = false; // spares the timer queue the notifications that nobody waits for
};

} // namespace gotunnel::net
