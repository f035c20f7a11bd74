// The door that clients come to, passed by a service manager or opened as -listen says, and the addresses of
// public ports. Names are looked up here, once, before the workers run.
//
//   tunnel_door door = open_tunnel_door(executor, take_passed_socket(), config.listen, options.text("listen"));
//
// Throws usage_error with what to do about it.
#pragma once

#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/door.hpp"

#include <string>

namespace gotunnel::app {

struct tunnel_door {
  net::door door;
  std::string host; ///< where it was asked to listen; empty: all addresses
};

/// `text` is the value of -listen as the user gave it.
[[nodiscard]] tunnel_door open_tunnel_door(const net::executor& where, net::descriptor passed,
                                           const wire::host_port& address, const std::string& text);
/// All addresses of -bind, for net::door: it is none when the host is empty. Throws when public ports could
/// not be opened there.
[[nodiscard]] net::door::addresses public_addresses(const net::executor& where, const std::string& host,
                                                    const std::string& text);

} // namespace gotunnel::app
