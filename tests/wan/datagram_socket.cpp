#include "wan/datagram_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

namespace gotunnel::testing {
namespace {

// Both ends have their networks for themselves, so any port will do.
constexpr std::uint16_t port = 7;

sockaddr_in address_of(const std::string& ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

void check(ssize_t outcome, const char* doing) {
  if (outcome < 0) throw std::system_error(errno, std::generic_category(), doing);
}

} // namespace

datagram_socket::datagram_socket(const std::string& local_ip, const std::string& peer_ip)
    : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  check(descriptor_, "socket");
  const sockaddr_in local = address_of(local_ip);
  const sockaddr_in peer = address_of(peer_ip);
  check(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&local), sizeof local), "bind");
  check(::connect(descriptor_, reinterpret_cast<const sockaddr*>(&peer), sizeof peer), "connect");
}

datagram_socket::~datagram_socket() { ::close(descriptor_); }

void datagram_socket::send(int number, std::size_t size) const {
  std::vector<char> payload(size);
  std::memcpy(payload.data(), &number, sizeof number);
  check(::send(descriptor_, payload.data(), payload.size(), 0), "send");
}

std::optional<int> datagram_socket::receive(std::chrono::milliseconds limit) const {
  pollfd readable{descriptor_, POLLIN, 0};
  const int ready = ::poll(&readable, 1, static_cast<int>(limit.count()));
  check(ready, "poll");
  if (ready == 0) return std::nullopt;
  int number = 0;
  check(::recv(descriptor_, &number, sizeof number, 0), "recv");
  return number;
}

} // namespace gotunnel::testing
