// A visitor's two directions between a plain and a TLS socket, a thread for each.
#pragma once

#include "sockets.hpp"
#include "tls_socket.hpp"

namespace bench {

/// Returns when both directions have ended.
void carry(descriptor plain, tls_socket& secret);

} // namespace bench
