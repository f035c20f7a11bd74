// The smux frame header: version, command, length and stream id; 8 bytes, little endian.
//
// Follows xtaci/smux (frame.go): byte-exact for versions 1 and 2. Commands 5 and 6 are ours and used only
// between two gotunnels that agreed on them. The decoder checks what can be checked from the header alone.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"

#include <array>

namespace gotunnel::wire {

/// Payload of a frame between two gotunnels: with its header it fills four TLS records exactly. A frame that
/// does not would drag a small record behind it, which costs as much as a large one.
inline constexpr std::size_t native_max_frame = 64 * 1024 - 8;

using stream_id = std::uint32_t;

enum class smux_command : std::uint8_t {
  syn = 0, ///< opens a stream
  fin = 1, ///< the sender will send no more on this stream
  psh = 2, ///< data
  nop = 3, ///< keepalive, stream id 0
  upd = 4, ///< v2: consumed u32 LE, window u32 LE
  rst = 5, ///< gotunnel: reason u32 LE; both directions are over
  ack =
      6, ///< gotunnel: bytes of the session received so far, u64 LE; id 1 asks for an answer at once, else 0
};

struct smux_header {
  static constexpr std::size_t size = 8;

  std::uint8_t version = 2;
  smux_command command = smux_command::nop;
  std::uint16_t length = 0; ///< payload bytes that follow
  stream_id id = 0;

  friend bool operator==(const smux_header&, const smux_header&) = default;
};

/// What an UPD says: the sender has read `consumed` bytes (mod 2^32) and wants at most `window` outstanding
/// beyond them.
struct smux_update {
  static constexpr std::size_t size = 8;

  std::uint32_t consumed = 0;
  std::uint32_t window = 0;

  friend bool operator==(const smux_update&, const smux_update&) = default;
};

void encode(const smux_header& header, std::span<std::byte, smux_header::size> to) noexcept;
void encode(const smux_update& update, std::span<std::byte, smux_update::size> to) noexcept;

/// errc::broken_frame: not `version`, an unknown command, a length that the command cannot have, or a frame
/// of ours that is not agreed on: RST when `resets` is off, ACK when `acks` is.
[[nodiscard]] result<smux_header> decode_header(std::span<const std::byte, smux_header::size> from,
                                                std::uint8_t version, bool resets,
                                                bool acks = false) noexcept;
[[nodiscard]] smux_update decode_update(std::span<const std::byte, smux_update::size> from) noexcept;

} // namespace gotunnel::wire
