// A listening socket that a service manager has opened and passed on (socket activation, sd_listen_fds(3)).
//
//   net::descriptor socket = take_passed_socket();   // first of all: later its number may be another file's
//
// LISTEN_PID names the process that LISTEN_FDS sockets are meant for, from descriptor 3 on. The variables are
// taken out of the environment and the socket is closed on execution: it is passed once. What kind of socket
// it is shows when a listener adopts it (net/tcp.hpp).
#pragma once

#include "gotunnel/net/descriptor.hpp"

namespace gotunnel::app {

/// None when none was passed to this process. Throws usage_error for several, and when there is nothing where
/// one should be.
[[nodiscard]] net::descriptor take_passed_socket();

} // namespace gotunnel::app
