// Blocking test sockets, and sockets of the system, as the streams of the house.
#pragma once

#include "gotunnel/net/socket_stream.hpp"

#include "support/loopback.hpp"
#include "support/run.hpp"

#include <cerrno>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gotunnel::testing {

inline net::any_socket adopt(const net::executor& where, int descriptor) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0)
    throw std::system_error(errno, std::generic_category(), "getsockname");
  return net::any_socket(where, net::asio::generic::stream_protocol(name.ss_family, 0), descriptor);
}

inline net::any_socket adopt(const net::executor& where, loopback_socket socket) {
  return adopt(where, ::dup(socket.descriptor())); // the original is closed with the parameter
}

/// Accepts without holding up the loop: who connects may be a task of it.
inline asio::awaitable<loopback_socket> accept_in_turn(const loopback_listener& door) {
  auto somebody_waits = [&door] {
    pollfd question{door.descriptor(), POLLIN, 0};
    return ::poll(&question, 1, 0) == 1;
  };
  co_await until(somebody_waits);
  co_return door.accept();
}

/// Both ends of one TCP connection: ours, and the blocking one.
struct connection {
  explicit connection(const net::executor& where, net::socket_stream::purpose use)
      : far(loopback_socket::connect(door.port())), near(adopt(where, door.accept()), use, "test") {}

  loopback_listener door;
  loopback_socket far;
  net::socket_stream near;
};

} // namespace gotunnel::testing
