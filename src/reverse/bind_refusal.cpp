#include "gotunnel/reverse/bind_refusal.hpp"

#include "gotunnel/reverse/port_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace gotunnel::reverse {

namespace code = wire::control_code;

wire::error_answer refusal(const bind_question& question, std::string_view code, std::string message) {
  return {question.service, std::string(code), std::move(message)};
}

wire::error_answer unavailable(const bind_question& question, const error_code& why) {
  return refusal(question, code::port_unavailable,
                 fmt::format("the server cannot listen on port {}: {}; choose another -remote-port, or stop "
                             "what uses this one on the server",
                             question.port, why.message()));
}

wire::error_answer shutting_down(const bind_question& question) {
  return refusal(question, code::shutting_down, "the server is shutting down; try again later");
}

wire::error_answer too_many_ports(const bind_question& question) {
  return refusal(question, code::too_many_binds,
                 fmt::format("a client may hold at most {} ports", ports_of_a_client));
}

wire::error_answer port_held(const bind_question& question, const public_port& held) {
  if (!held.holders.all_away())
    return refusal(
        question, code::port_held,
        fmt::format("port {} is held by another client since {}; stop that client or choose another "
                    "-remote-port",
                    held.number, held.held_since()));
  using std::chrono::milliseconds;
  const auto left =
      std::chrono::duration_cast<milliseconds>(held.holders.gone_by() - std::chrono::steady_clock::now());
  auto answer =
      refusal(question, code::port_held,
              fmt::format("port {} is held by another client, which is away; the port is free in {} s "
                          "unless that client is back before",
                          held.number, std::max<std::int64_t>(left.count(), 0) / 1000 + 1));
  answer.free_in_ms = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<std::uint32_t>::max()));
  return answer;
}

} // namespace gotunnel::reverse
