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

#include <boost/asio/steady_timer.hpp>

#include <utility>

namespace gotunnel::net {

class signal {
public:
  explicit signal(const executor& where) : timer_(where, asio::steady_timer::time_point::max()) {}

  asio::awaitable<void> wait() {
    awaited_ = true;
    [[maybe_unused]] auto [ignored] = co_await timer_.async_wait(token);
  }
  void notify() {
    if (std::exchange(awaited_, false)) timer_.cancel();
  }

private:
  asio::steady_timer timer_; // never expires; cancelling it wakes the waiters
  bool awaited_ = false;     // spares the timer queue the notifications that nobody waits for
};

} // namespace gotunnel::net
