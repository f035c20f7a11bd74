#include "poller.hpp"

#include <cerrno>

namespace bench {

poller::poller() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_.get() < 0) fail("epoll_create1");
}

void poller::add(int socket, std::uint32_t events, char mark) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = static_cast<std::uint32_t>(socket) | std::uint64_t{static_cast<unsigned char>(mark)} << 32;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
}

void poller::remove(int socket) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket, nullptr); }

std::span<const poller::ready> poller::wait(std::chrono::milliseconds limit) {
  std::array<epoll_event, 256> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                               static_cast<int>(limit.count()));
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  std::size_t filled = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    ready_[filled++] = {static_cast<int>(event.data.u64 & 0xffffffff),
                        static_cast<char>(event.data.u64 >> 32), event.events};
  }
  return {ready_.data(), filled};
}

} // namespace bench
