// The owner of tasks: it spawns them, can cancel them, and is joined before it dies.
//
//   task_group group(executor, "reverse");
//   group.spawn("accept", accept_loop());          // an awaitable<void> or task<>; its arguments are owned or outlive the group
//   group.cancel(); co_await group.join();
//
// A task that ends by cancellation ends quietly; any other exception is logged with the task's name and kept
// from spreading. After cancel() nothing new is spawned. All calls on the thread of the executor; the
// destructor asserts that no task is left.
#pragma once

#include "gotunnel/net/signal.hpp"
#include "gotunnel/net/task.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <list>
#include <string>

namespace gotunnel::net {

class task_group {
public:
  task_group(executor where, std::string channel);
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  ~task_group();

  void spawn(const char* what, asio::awaitable<void> task);
  void cancel();
  /// Returns when no task is left. Not to be awaited by a task of the same group.
  asio::awaitable<void> join();

  /// Notified whenever the last task has ended.
  [[nodiscard]] signal& emptied() noexcept { return emptied_; }
  [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
  [[nodiscard]] const executor& where() const noexcept { return where_; }

private:
  struct child {
    const char* what;
    asio::cancellation_signal signal;
  };

  void ended(std::list<child>::iterator which, const std::exception_ptr& failure);

  executor where_;
  std::string channel_;
  std::list<child> children_;
  signal emptied_;
  bool cancelled_ = false;
};

} // namespace gotunnel::net
