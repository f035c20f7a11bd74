#include "gotunnel/net/route_watch.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/last_error.hpp"

#include <array>
#include <cerrno>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gotunnel::net {
namespace {

// An interface that comes up says a dozen things; the last of them are its routes.
constexpr duration settling = 200ms;

/// Reads what has been said; false when the socket is broken. What the kernel had to drop was a change, too.
bool drain(int socket) noexcept {
  std::array<std::byte, 8192> said;
  for (;;) {
    if (::recv(socket, said.data(), said.size(), MSG_DONTWAIT) > 0) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
    if (errno != EINTR && errno != ENOBUFS) return false;
  }
}

} // namespace

result<route_watch> route_watch::open(const executor& where) {
  const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (socket < 0) return last_error();
  asio::posix::stream_descriptor owned(where, socket);
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0) return last_error();
  return route_watch(std::move(owned));
}

task<> route_watch::changed() {
  auto [ec] = co_await socket_.async_wait(asio::posix::stream_descriptor::wait_read, token);
  if (ec) co_return ec;
  co_await sleep_for(settling);
  if (!drain(socket_.native_handle())) co_return last_error();
  co_return result<>();
}

} // namespace gotunnel::net
