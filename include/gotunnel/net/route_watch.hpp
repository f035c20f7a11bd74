// Tells when an address or a route of this machine comes or goes (rtnetlink(7)).
//
//   auto watch = route_watch::open(executor);  while (co_await watch->changed()) ...;
//
// A hint and no more: changes that come together are told together, and which they were is not told.
#pragma once

#include "gotunnel/net/task.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

namespace gotunnel::net {

class route_watch {
public:
  /// Errors of the system, where there is no netlink or it is not allowed.
  [[nodiscard]] static result<route_watch> open(const executor& where);

  /// The next change, a moment after it. An error means that nothing more is told.
  [[nodiscard]] task<> changed();

private:
  explicit route_watch(asio::posix::stream_descriptor socket) : socket_(std::move(socket)) {}

  asio::posix::stream_descriptor socket_;
};

} // namespace gotunnel::net
