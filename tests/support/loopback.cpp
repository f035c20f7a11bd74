#include "support/loopback.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <random>
#include <system_error>

namespace gotunnel::testing {
namespace {

int checked(ssize_t outcome, const char* doing) {
  if (outcome < 0) throw std::system_error(errno, std::generic_category(), doing);
  return static_cast<int>(outcome);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

loopback_socket made() {
  loopback_socket socket(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  socket.limit(std::chrono::seconds(30));
  return socket;
}

void set_nodelay(const loopback_socket& socket) {
  const int on = 1;
  checked(::setsockopt(socket.descriptor(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

} // namespace

loopback_socket::~loopback_socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

loopback_socket loopback_socket::connect(std::uint16_t port) {
  loopback_socket socket = made();
  const sockaddr_in address = loopback(port);
  checked(::connect(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "connect");
  set_nodelay(socket);
  return socket;
}

void loopback_socket::limit(std::chrono::milliseconds time) const {
  timeval value{};
  value.tv_sec = time.count() / 1000;
  value.tv_usec = (time.count() % 1000) * 1000;
  checked(::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value), "SO_RCVTIMEO");
  checked(::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &value, sizeof value), "SO_SNDTIMEO");
}

void loopback_socket::set_nonblocking() const {
  const int flags = checked(::fcntl(descriptor_, F_GETFL), "F_GETFL");
  checked(::fcntl(descriptor_, F_SETFL, flags | O_NONBLOCK), "F_SETFL");
}

void loopback_socket::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    bytes.remove_prefix(static_cast<std::size_t>(checked(count, "send")));
  }
}

std::string loopback_socket::read(std::size_t size) const {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t count = ::recv(descriptor_, bytes.data() + filled, size - filled, 0);
    if (count < 0 && errno == EINTR) continue;
    if (checked(count, "recv") == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

bool loopback_socket::ended() const { return read(1).empty(); }

void loopback_socket::shutdown_write() const { checked(::shutdown(descriptor_, SHUT_WR), "shutdown"); }

loopback_listener::loopback_listener() : socket_(made()) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  checked(::bind(socket_.descriptor(), reinterpret_cast<const sockaddr*>(&address), size), "bind");
  checked(::listen(socket_.descriptor(), SOMAXCONN), "listen");
  checked(::getsockname(socket_.descriptor(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  port_ = ntohs(address.sin_port);
}

loopback_socket loopback_listener::accept() const {
  loopback_socket socket(checked(::accept4(socket_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));
  socket.limit(std::chrono::seconds(30));
  set_nodelay(socket);
  return socket;
}

std::uint16_t free_port() {
  constexpr std::uint16_t first = 10'000;
  std::uint16_t first_ephemeral = 32'768;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first_ephemeral;
  std::random_device random;
  std::uniform_int_distribution<std::uint16_t> ports(first, static_cast<std::uint16_t>(first_ephemeral - 1));
  while (true) {
    const std::uint16_t port = ports(random);
    const loopback_socket socket = made();
    const sockaddr_in address = loopback(port);
    if (::bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return port;
  }
}

} // namespace gotunnel::testing
