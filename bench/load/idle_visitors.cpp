#include "load.hpp"
#include "sockets.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

namespace bench {

int hold_idle_visitors(std::uint16_t port, std::size_t count) {
  std::vector<descriptor> visitors;
  visitors.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    descriptor& visitor = visitors.emplace_back(dial({.port = port}));
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    setsockopt(visitor.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::byte byte{echo_mark};
    send_all(visitor, {&byte, 1});
    if (receive_some(visitor, {&byte, 1}) != 1) throw std::runtime_error("a visitor was turned away");
  }
  std::puts("ready");
  std::fflush(stdout);
  for (char ignored; ::read(STDIN_FILENO, &ignored, 1) > 0;) {
  }
  return 0;
}

} // namespace bench
