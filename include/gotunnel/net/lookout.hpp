// Keeps a worker awake while the next message of a brisk conversation is due (base/brisk_talk).
//
//   lookout.passed(bytes, now);              // for each message, either way
//
// While it looks out the worker's context never sleeps: it polls, and gives way to whoever else wants the
// processor in between. On the thread of the executor; what is under way when it is dropped ends by itself.
#pragma once

#include "gotunnel/base/brisk_talk.hpp"
#include "gotunnel/net/task.hpp"

#include <memory>

namespace gotunnel::net {

class lookout {
public:
  explicit lookout(const executor& where);

  void passed(std::size_t bytes, time_point now);

private:
  struct state;
  static void look(const std::shared_ptr<state>& held);

  std::shared_ptr<state> state_;
};

} // namespace gotunnel::net
