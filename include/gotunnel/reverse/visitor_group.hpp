// The visitors that a session is serving, and how long they may stay once it is over for them.
//
//   visitors.admit(serve(...));
//   visitors.leave_by(now + grace);          // the nearest of all limits counts
//   co_await visitors.left();                // until none is left, or the limit has come
//   co_await visitors.drain();               // the same, and whoever is still here is sent away
//
// On the worker of its session.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/task_group.hpp"

namespace gotunnel::reverse {

namespace asio = boost::asio;

class visitor_group {
public:
  explicit visitor_group(const net::executor& where) : tasks_(where, "reverse") {}

  void admit(asio::awaitable<void> visit);
  void leave_by(time_point limit);
  [[nodiscard]] time_point limit() const noexcept { return limit_; }
  [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }
  [[nodiscard]] asio::awaitable<void> left();
  [[nodiscard]] asio::awaitable<void> drain();
  /// All leave now.
  [[nodiscard]] asio::awaitable<void> send_away();

private:
  net::task_group tasks_;
  time_point limit_ = time_point::max();
};

} // namespace gotunnel::reverse
