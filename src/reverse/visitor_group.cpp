#include "gotunnel/reverse/visitor_group.hpp"

#include "gotunnel/net/deadline.hpp"

#include <algorithm>

namespace gotunnel::reverse {

void visitor_group::admit(asio::awaitable<void> visit) { tasks_.spawn("visitor", std::move(visit)); }

void visitor_group::leave_by(time_point limit) {
  limit_ = std::min(limit_, limit);
  tasks_.emptied().notify(); // whoever waits looks at the limit again
}

asio::awaitable<void> visitor_group::left() {
  for (;;) {
    const auto time = limit_ - std::chrono::steady_clock::now();
    if (tasks_.size() == 0 || time <= duration::zero()) co_return;
    net::deadline late(tasks_.where(), time, [this] { tasks_.emptied().notify(); });
    co_await tasks_.emptied().wait();
  }
}

asio::awaitable<void> visitor_group::drain() {
  co_await left();
  co_await send_away();
}

asio::awaitable<void> visitor_group::send_away() {
  tasks_.cancel();
  co_await tasks_.join();
}

} // namespace gotunnel::reverse
