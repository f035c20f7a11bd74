// What the client prints on stdout when its public port is open: `ready: 203.0.113.5:8080 -> 127.0.0.1:80`.
//
// Scripts read it. The address is the one that the server has bound; when that is all of the server's
// addresses, or not known (an original server), it is the one by which this client reaches the server.
#pragma once

#include "gotunnel/wire/control.hpp"

#include <string>

namespace gotunnel::app {

/// Without its line end. `server_host` and `target` are as the user gave them.
[[nodiscard]] std::string ready_line(const std::string& server_host, const wire::bound_answer& bound,
                                     const std::string& target);
/// Why fewer may reach the port than one would think; empty when there is no reason.
[[nodiscard]] std::string ready_warning(const std::string& server_host, const wire::bound_answer& bound);

} // namespace gotunnel::app
