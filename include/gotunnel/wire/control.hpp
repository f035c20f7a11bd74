// The control stream of the native protocol: one JSON object a line, on the client's first stream. Sans-IO.
//
// client -> server   {"type":"bind","id":1,"port":8080}        port 0: the server chooses
//                    {"type":"bind","id":1,"port":8080,"carrier":2}
//                    to hold the port together with other sessions of this process, each by a number; and
//                    "keepalive":60000, how often in ms this side would speak at least when nothing moves
//                    {"type":"bind","id":1,"port":8080,"wait":true}
//                    when the port is held by somebody who is away: to wait in line for it
//                    {"type":"unbind","id":1}                  close the public port; connections in progress
//                    go on
// server -> client   {"type":"bound","id":1,"port":8080,"address":"[::]:8080"}
//                    and the "carrier" of the request; a server that leaves it out knows one holder a port.
//                    And "keepalive", when the request has it: the larger wish, in force for both from then
//                    on; a server that leaves it out keeps what there was
//                    {"type":"error","id":1,"code":"port_held","message":"..."}   id is absent when it
//                    answers no request. "free_in_ms": the holder is away, and the port is free then
//                    unless it comes back
//                    {"type":"renew"}                          to a client with capability::renew: the session
//                    runs out of stream ids. The client opens another one and binds the port there; visitors in
//                    progress go on here, and the client closes this session after the last
//                    {"type":"waiting","id":1,"for_ms":41000}  the bind waits in line, for so long at most;
//                    its answer follows. Only to a bind with "wait"
// both               {"type":"ping","id":7}  ->  {"type":"pong","id":7}
//                    {"type":"bye","reason":"..."}             the sender is stopping; it opens nothing new
//
// Unknown keys are ignored; an unknown type is a value (`unknown`), to be answered with an error. A line is
// at most 16 KiB and nests at most 8 deep. The `code` of an error is stable and for programs, the `message`
// is for people.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"

#include <optional>
#include <string>
#include <variant>

namespace gotunnel::wire {

inline constexpr std::size_t control_line_limit = 16 * 1024;
inline constexpr std::size_t control_text_limit = 1024; ///< bytes of a text that encode() keeps

/// Sessions that may hold one port together; their numbers begin at 1.
inline constexpr std::uint8_t carriers_limit = 16;

/// Stable codes of control errors.
namespace control_code {
inline constexpr std::string_view bad_message = "bad_message"; ///< not JSON, or a member is missing or wrong
inline constexpr std::string_view unknown_type = "unknown_type";
inline constexpr std::string_view port_not_allowed = "port_not_allowed"; ///< outside -allow-ports
inline constexpr std::string_view port_held = "port_held";               ///< another client has it
inline constexpr std::string_view live_copy = "live_copy"; ///< a live process with the same client id has it
inline constexpr std::string_view port_unavailable =
    "port_unavailable"; ///< the system refuses to listen on it
inline constexpr std::string_view duplicate_bind =
    "duplicate_bind"; ///< this session already has it, or the id is in use
inline constexpr std::string_view too_many_binds = "too_many_binds";
inline constexpr std::string_view shutting_down = "shutting_down";
} // namespace control_code

struct bind_request {
  std::uint64_t id = 0;
  std::uint16_t port = 0;
  std::uint8_t carrier = 0;    ///< 0: none, the session wants the port for itself
  std::uint32_t keepalive = 0; ///< ms; 0: none said
  bool wait = false;           ///< in line, when the holder is away
  friend bool operator==(const bind_request&, const bind_request&) = default;
};
struct unbind_request {
  std::uint64_t id = 0;
  friend bool operator==(const unbind_request&, const unbind_request&) = default;
};
struct bound_answer {
  std::uint64_t id = 0;
  std::uint16_t port = 0;
  std::string address;         ///< as the listener reports it
  std::uint8_t carrier = 0;    ///< 0: none
  std::uint32_t keepalive = 0; ///< ms; 0: none said
  friend bool operator==(const bound_answer&, const bound_answer&) = default;
};
struct error_answer {
  std::optional<std::uint64_t> id;
  std::string code;
  std::string message;
  std::optional<std::uint32_t> free_in_ms{}; ///< of port_held: the holder is away, for so long at most
  friend bool operator==(const error_answer&, const error_answer&) = default;
};
struct waiting_notice {
  std::uint64_t id = 0;
  std::uint32_t for_ms = 0;
  friend bool operator==(const waiting_notice&, const waiting_notice&) = default;
};
struct ping_message {
  std::uint64_t id = 0;
  friend bool operator==(const ping_message&, const ping_message&) = default;
};
struct pong_message {
  std::uint64_t id = 0;
  friend bool operator==(const pong_message&, const pong_message&) = default;
};
struct renew_message {
  friend bool operator==(const renew_message&, const renew_message&) = default;
};
struct bye_message {
  std::string reason;
  friend bool operator==(const bye_message&, const bye_message&) = default;
};
/// A well-formed object whose type we do not know (`problem` is empty), or whose type or another member is
/// missing or wrong (`problem` says which).
struct unknown_message {
  std::optional<std::uint64_t> id;
  std::string type;
  std::string problem;
  friend bool operator==(const unknown_message&, const unknown_message&) = default;
};

using control_message = std::variant<bind_request, unbind_request, bound_answer, error_answer, waiting_notice,
                                     ping_message, pong_message, renew_message, bye_message, unknown_message>;

/// What is in force when one side wishes `ours` and the other says `theirs` (ms): the larger of the two, and
/// nothing that would end a healthy session, or never a dead one.
[[nodiscard]] duration agreed_keepalive(duration ours, std::uint32_t theirs) noexcept;
[[nodiscard]] std::uint32_t keepalive_ms(duration interval) noexcept;

/// One line, '\n' included. Requires a message other than unknown_message, and texts in UTF-8; those longer
/// than control_text_limit are cut, so that the line stays within control_line_limit whatever it quotes.
[[nodiscard]] std::string encode(const control_message& message);

/// Splits the stream into lines and reads them.
class control_reader {
public:
  /// Appends bytes. limit_exceeded when a line grows beyond control_line_limit; no more than that is ever
  /// kept of it, and the stream is of no further use: the lines before it can be read, nothing can be fed.
  [[nodiscard]] result<> feed(bytes_view bytes);
  /// The next message; nothing when a whole line is not there yet. broken_frame: the line is not a JSON
  /// object, or nests too deep; that line is used up and the reader can go on.
  [[nodiscard]] result<std::optional<control_message>> next();
  /// What was fed and not read yet, as another reader may be fed it.
  [[nodiscard]] std::string_view unread() const noexcept { return std::string_view{pending_}.substr(read_); }

private:
  std::string pending_;   ///< lines that were read, lines to read, and the beginning of one
  std::size_t read_ = 0;  ///< where the next line to read begins
  std::size_t whole_ = 0; ///< where the line that has no end yet begins
  bool overflowed_ = false;
};

} // namespace gotunnel::wire
