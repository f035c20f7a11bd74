// What the book of ports says when a client does not get the port that it asked for.
//
// A sentence names no other client: who holds a port says `gotunnel server status` to the server's owner.
#pragma once

#include "gotunnel/reverse/public_port.hpp"
#include "gotunnel/wire/control.hpp"

#include <string>
#include <string_view>

namespace gotunnel::reverse {

[[nodiscard]] wire::error_answer refusal(const bind_question& question, std::string_view code,
                                         std::string message);
/// The system refuses to listen.
[[nodiscard]] wire::error_answer unavailable(const bind_question& question, const error_code& why);
[[nodiscard]] wire::error_answer shutting_down(const bind_question& question);
[[nodiscard]] wire::error_answer too_many_ports(const bind_question& question);
/// By another client; with the time after which to ask again when that one is away.
[[nodiscard]] wire::error_answer port_held(const bind_question& question, const public_port& held);

} // namespace gotunnel::reverse
