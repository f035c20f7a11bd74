// A limit on a wait: runs an action once if it is not dropped in time.
//
//   deadline limit(executor, 10s, [&] { stream.close(ending::abort); });
//   auto r = co_await stream.read();                     // ends with an error when the action closed the stream
//   if (limit.expired()) co_return errc::timed_out;      // the abort was ours
//
// The action runs on the executor's thread and never after the destructor. Same thread for all calls.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/task.hpp"

#include <functional>
#include <memory>

namespace gotunnel::net {

class deadline {
public:
  deadline(const executor& where, duration limit, std::function<void()> action);
  deadline(const deadline&) = delete;
  deadline& operator=(const deadline&) = delete;
  ~deadline();

  [[nodiscard]] bool expired() const noexcept;

private:
  struct state;
  std::shared_ptr<state> state_;
};

/// Lets every other task of this worker that is ready have its turn: for loops that may go on for long
/// without a wait.
asio::awaitable<void> give_way();

/// Waits; ends early only by cancellation of the task.
asio::awaitable<void> sleep_for(duration length);

} // namespace gotunnel::net
