#include "sockets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <string>
#include <system_error>

namespace bench {
namespace {

sockaddr_in to_system(address where) noexcept {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_port = htons(where.port);
  made.sin_addr.s_addr = htonl(where.host);
  return made;
}

const sockaddr* generic(const sockaddr_in& where) noexcept {
  return reinterpret_cast<const sockaddr*>(&where);
}

descriptor make_socket() {
  descriptor made{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (made.get() < 0) fail("socket");
  return made;
}

void switch_on(const descriptor& socket, int level, int option) {
  const int on = 1;
  if (setsockopt(socket.get(), level, option, &on, sizeof on) != 0) fail("setsockopt");
}

} // namespace

void limit_unsent(int socket, int bytes) {
  if (setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes) != 0) fail("setsockopt");
}

void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

address parse_address(std::string_view text) {
  address parsed;
  if (const auto colon = text.find(':'); colon != text.npos) {
    in_addr host{};
    if (inet_pton(AF_INET, std::string(text.substr(0, colon)).c_str(), &host) != 1) {
      throw std::invalid_argument("not an IPv4 address: " + std::string(text));
    }
    parsed.host = ntohl(host.s_addr);
    text.remove_prefix(colon + 1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed.port);
  if (error != std::errc{} || end != text.data() + text.size()) {
    throw std::invalid_argument("not a port: " + std::string(text));
  }
  return parsed;
}

descriptor listen_on(std::uint16_t port) {
  descriptor listener = make_socket();
  switch_on(listener, SOL_SOCKET, SO_REUSEADDR);
  const sockaddr_in here = to_system({.port = port});
  if (bind(listener.get(), generic(here), sizeof here) != 0) fail("bind");
  if (listen(listener.get(), 4096) != 0) fail("listen");
  return listener;
}

descriptor accept_from(const descriptor& listener) {
  descriptor accepted{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  if (accepted.get() < 0) fail("accept");
  switch_on(accepted, IPPROTO_TCP, TCP_NODELAY);
  return accepted;
}

descriptor dial(address to) {
  descriptor dialled = make_socket();
  const sockaddr_in there = to_system(to);
  if (connect(dialled.get(), generic(there), sizeof there) != 0) fail("connect");
  switch_on(dialled, IPPROTO_TCP, TCP_NODELAY);
  return dialled;
}

void send_all(const descriptor& to, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) fail("send");
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

std::size_t receive_some(const descriptor& from, std::span<std::byte> room) {
  for (;;) {
    const ssize_t got = recv(from.get(), room.data(), room.size(), 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail("recv");
  }
}

} // namespace bench
