// The original GoTunnel protocol around its smux session: secret line, verdict line, one JSON request and
// answer. Sans-IO.
//
//   client -> server  `<secret>\n`
//   server -> client  `OK\n` or `ERROR: Invalid Secret\n`
//   then smux version 2; on the client's first stream:
//   client -> server  `{"remote_port":8080}\n`
//   server -> client  `{"status":"success","message":"..."}\n` (or "error"), FIN
//
// An original client must not receive anything glued to `OK\n`; we tolerate bytes glued to it. The secret is
// compared in constant time after trimming white space around the received line, as the original does.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/base/secret.hpp"

#include <optional>
#include <string>

namespace gotunnel::wire {

inline constexpr std::size_t seed_secret_limit = 4096; ///< bytes of the secret line, its end included
inline constexpr std::size_t seed_verdict_limit = 256; ///< bytes of the verdict line
inline constexpr std::size_t seed_control_limit = 16 * 1024;
/// An original peer sends a NOP every 10 s and nothing sooner; after this much silence it is dead.
inline constexpr duration seed_silence_limit = std::chrono::seconds(14);

inline constexpr std::string_view seed_accepted = "OK\n";
inline constexpr std::string_view seed_refused = "ERROR: Invalid Secret\n";

/// The length of the first line in `bytes`, its '\n' included; nothing: need more; limit_exceeded: no end
/// within `limit`.
[[nodiscard]] result<std::optional<std::size_t>> find_line(bytes_view bytes, std::size_t limit);

/// True when the line, trimmed, is the secret.
[[nodiscard]] bool seed_secret_matches(bytes_view line, const secret_text& secret);
/// False when the original protocol cannot carry this secret: empty, white space at its ends, or a line end
/// inside.
[[nodiscard]] bool seed_can_carry(const secret_text& secret);
/// Success for `OK`; wrong_secret for the original's refusal; not_gotunnel for anything else.
[[nodiscard]] result<> read_seed_verdict(bytes_view line);

struct seed_answer {
  bool success = false;
  std::string message;
  friend bool operator==(const seed_answer&, const seed_answer&) = default;
};

[[nodiscard]] std::string encode_seed_request(std::uint16_t remote_port);
/// The remote port asked for; broken_frame when the line is no such request (Go: `Invalid control message`).
[[nodiscard]] result<std::uint16_t> read_seed_request(bytes_view line);
[[nodiscard]] std::string encode(const seed_answer& answer);
[[nodiscard]] result<seed_answer> read_seed_answer(bytes_view line);

} // namespace gotunnel::wire
