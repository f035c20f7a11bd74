#include "gotunnel/wire/smux_frame.hpp"

namespace gotunnel::wire {
namespace {

/// Whether `command` may carry `length` bytes of payload. Old smux peers overlook a wrong length here and
/// lose their place in the byte stream; new ones end the session, and so do we.
bool fits(smux_command command, std::uint16_t length) noexcept {
  switch (command) {
  case smux_command::syn:
  case smux_command::fin:
  case smux_command::nop: return length == 0;
  case smux_command::psh: return true;
  case smux_command::upd: return length == smux_update::size;
  case smux_command::rst: return length == sizeof(std::uint32_t);
  case smux_command::ack: return length == sizeof(std::uint64_t);
  }
  return false;
}

} // namespace

void encode(const smux_header& header, std::span<std::byte, smux_header::size> to) noexcept {
  to[0] = std::byte{header.version};
  to[1] = static_cast<std::byte>(header.command);
  store_le16(to.subspan<2, 2>(), header.length);
  store_le32(to.subspan<4, 4>(), header.id);
}

void encode(const smux_update& update, std::span<std::byte, smux_update::size> to) noexcept {
  store_le32(to.subspan<0, 4>(), update.consumed);
  store_le32(to.subspan<4, 4>(), update.window);
}

result<smux_header> decode_header(std::span<const std::byte, smux_header::size> from, std::uint8_t version,
                                  bool resets, bool acks) noexcept {
  const smux_header header{.version = std::to_integer<std::uint8_t>(from[0]),
                           .command = static_cast<smux_command>(from[1]),
                           .length = load_le16(from.subspan<2, 2>()),
                           .id = load_le32(from.subspan<4, 4>())};
  const bool known = header.command <= smux_command::upd || (header.command == smux_command::rst && resets) ||
                     (header.command == smux_command::ack && acks);
  if (header.version != version || !known || !fits(header.command, header.length)) return errc::broken_frame;
  // Version 1 has no windows.
  if (header.command == smux_command::upd && version < 2) return errc::broken_frame;
  return header;
}

smux_update decode_update(std::span<const std::byte, smux_update::size> from) noexcept {
  return {.consumed = load_le32(from.subspan<0, 4>()), .window = load_le32(from.subspan<4, 4>())};
}

} // namespace gotunnel::wire
