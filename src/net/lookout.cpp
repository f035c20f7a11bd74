#include "gotunnel/net/lookout.hpp"

#include <boost/asio/post.hpp>

#include <sched.h>

namespace gotunnel::net {

struct lookout::state {
  explicit state(const executor& on) : where(on) {}

  executor where;
  brisk_talk talk;
  bool looking = false;
};

lookout::lookout(const executor& where) : state_(std::make_shared<state>(where)) {}

void lookout::passed(std::size_t bytes, time_point now) {
  state_->talk.passed(bytes, now);
  if (!state_->looking && state_->talk.awaited(now)) look(state_);
}

/// A context that has something to run asks for events without waiting for them.
void lookout::look(const std::shared_ptr<state>& held) {
  held->looking = true;
  asio::post(held->where, [held] {
    const time_point before = std::chrono::steady_clock::now();
    ::sched_yield();
    const time_point after = std::chrono::steady_clock::now();
    held->talk.looked_away(after - before, after);
    held->looking = false;
    if (held->talk.awaited(after)) look(held);
  });
}

} // namespace gotunnel::net
