// epoll(7), level-triggered: which of many sockets can go on.
#pragma once

#include "sockets.hpp"

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <span>

namespace bench {

class poller {
public:
  poller();

  /// `mark` comes back with every event of this socket.
  void add(int socket, std::uint32_t events, char mark);
  void remove(int socket);

  struct ready {
    int socket;
    char mark;
    std::uint32_t events;
  };
  /// Good until the next call. Empty after `limit`; a negative one means for ever.
  std::span<const ready> wait(std::chrono::milliseconds limit);

private:
  descriptor epoll_;
  std::array<ready, 256> ready_{};
};

} // namespace bench
