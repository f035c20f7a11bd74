// The listener that clients connect to: passed by a service manager, or opened as -listen says.
//
//   tunnel_door door = open_tunnel_door(executor, take_passed_socket(), config.listen, options.text("listen"));
//
// Throws usage_error with what to do about it.
#pragma once

#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/tcp.hpp"

#include <string>

namespace gotunnel::app {

struct tunnel_door {
  net::tcp_listener listener;
  std::string host; ///< where it was asked to listen; empty: all addresses
};

/// `text` is the value of -listen as the user gave it.
[[nodiscard]] tunnel_door open_tunnel_door(const net::executor& where, net::descriptor passed,
                                           const wire::host_port& address, const std::string& text);
/// Throws when the public ports could not be opened at this address.
void try_public_address(const net::executor& where, const std::string& host, const std::string& text);

} // namespace gotunnel::app
