// The socket of a service manager: hears what a program says to NOTIFY_SOCKET.
//
//   const notify_socket manager(room.file("notify"));            // or "@some-name"
//   BOOST_TEST(manager.hear(5s) == "READY=1\nSTATUS=...\n");     // "" when nothing came in time
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace gotunnel::testing {

class notify_socket {
public:
  explicit notify_socket(std::string name)
      : name_(std::move(name)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name_.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    if (socket_ < 0 || ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) != 0)
      throw std::system_error(errno, std::generic_category(), name_);
  }
  notify_socket(const notify_socket&) = delete;
  notify_socket& operator=(const notify_socket&) = delete;
  ~notify_socket() { ::close(socket_); }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// The next datagram; a limit of 0 does not wait.
  [[nodiscard]] std::string hear(std::chrono::milliseconds limit) const {
    timeval time{};
    time.tv_sec = limit.count() / 1000;
    time.tv_usec = limit.count() % 1000 * 1000;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    std::array<char, 4096> piece{};
    const ssize_t count = ::recv(socket_, piece.data(), piece.size(), limit.count() == 0 ? MSG_DONTWAIT : 0);
    return {piece.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }
  /// Drops what comes until a datagram begins with these words; "" when the limit passes.
  [[nodiscard]] std::string wait_for(std::string_view begin, std::chrono::milliseconds limit) const {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      if (left.count() <= 0) return {};
      std::string said = hear(left);
      if (said.starts_with(begin)) return said;
    }
  }

private:
  std::string name_;
  int socket_;
};

} // namespace gotunnel::testing
