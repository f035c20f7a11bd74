// The one place where the program waits: until a descriptor is readable, or a time has come.
#pragma once

#include "descriptor.hpp"

#include "gotunnel/base/clock.hpp"

#include <functional>
#include <list>

namespace gotunnel::wan {

class poller {
public:
  poller();

  /// `react` is called by wait() as long as there is something to read; the descriptor outlives the poller.
  void watch(int readable, std::function<void()> react);
  /// Returns after the calls for what is readable; without any when `until` has come or a signal has.
  void wait(time_point until);

private:
  descriptor epoll_;
  std::list<std::function<void()>> reactions_;
};

} // namespace gotunnel::wan
