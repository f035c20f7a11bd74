#include "poller.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>

namespace gotunnel::wan {

poller::poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC), "epoll") {}

void poller::watch(int readable, std::function<void()> react) {
  reactions_.push_back(std::move(react));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &reactions_.back();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, readable, &event) != 0) fail("epoll");
}

void poller::wait(time_point until) {
  timespec left{};
  if (until != never) {
    const auto rest = std::max<duration>(until - std::chrono::steady_clock::now(), duration::zero());
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(rest);
    left = {whole.count(), (rest - whole).count()};
  }
  std::array<epoll_event, 8> events{};
  // Unlike epoll_wait to the nanosecond, and without a timer to be set in a call of its own.
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   until == never ? nullptr : &left, nullptr);
  if (count < 0 && errno != EINTR) fail("epoll");
  for (int i = 0; i < count; ++i)
    (*static_cast<std::function<void()>*>(events[static_cast<std::size_t>(i)].data.ptr))();
}

} // namespace gotunnel::wan
