// smux for people: frames made from words, events and transmitted frames printed as words.
//
//   play(core, frame(smux_command::syn, 3), 1)  ->  "opened 3"        every byte fed alone
//   said(core)                                  ->  "SYN 3, PSH 3 hello, UPD 3 5/65536, FIN 3, RST 3 1, NOP"
//
// Neighbouring data events of one stream are printed as one, so that a script reads the same in whatever
// pieces it is fed.
#pragma once

#include "gotunnel/wire/smux_core.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::testing {

inline constexpr time_point start{1h};

/// Bytes of hexadecimal digits; spaces do not count.
[[nodiscard]] inline std::string unhex(std::string_view text) {
  std::string digits;
  for (const char c : text)
    if (c != ' ') digits.push_back(c);
  std::string bytes(digits.size() / 2, '\0');
  if (!from_hex(digits, std::as_writable_bytes(std::span{bytes})))
    throw std::invalid_argument("not hexadecimal");
  return bytes;
}

[[nodiscard]] inline std::string frame(wire::smux_command command, wire::stream_id id,
                                       std::string_view payload = {}, std::uint8_t version = 2) {
  std::array<std::byte, wire::smux_header::size> head;
  encode(wire::smux_header{version, command, static_cast<std::uint16_t>(payload.size()), id}, head);
  return std::string(as_text(head)).append(payload);
}

[[nodiscard]] inline std::string update(wire::stream_id id, std::uint32_t consumed, std::uint32_t window) {
  std::array<std::byte, wire::smux_update::size> payload;
  encode(wire::smux_update{consumed, window}, payload);
  return frame(wire::smux_command::upd, id, as_text(payload));
}

[[nodiscard]] inline std::string rst(wire::stream_id id, std::uint32_t reason) {
  std::array<std::byte, 4> payload;
  store_le32(payload, reason);
  return frame(wire::smux_command::rst, id, as_text(payload));
}

/// Feeds `bytes` in pieces of at most `piece` bytes; the events, or what they came to.
[[nodiscard]] inline std::string play(wire::smux_core& core, std::string_view bytes,
                                      std::size_t piece = 1 << 20, time_point now = start) {
  std::vector<std::string> lines;
  wire::stream_id data_of = 0;
  while (!bytes.empty()) {
    core.feed(as_bytes(bytes.substr(0, piece)), now);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      const auto polled = core.poll();
      if (!polled) {
        lines.push_back("! " + polled.error().message());
        return fmt::format("{}", fmt::join(lines, ", "));
      }
      if (!*polled) break;
      const wire::smux_event& event = **polled;
      using kind = wire::smux_event::kind;
      if (event.what == kind::data && data_of == event.id) {
        lines.back().append(as_text(event.bytes));
        continue;
      }
      data_of = event.what == kind::data ? event.id : 0;
      switch (event.what) {
      case kind::opened: lines.push_back(fmt::format("opened {}", event.id)); break;
      case kind::data: lines.push_back(fmt::format("data {} {}", event.id, as_text(event.bytes))); break;
      case kind::finished: lines.push_back(fmt::format("finished {}", event.id)); break;
      case kind::reset:
        lines.push_back(fmt::format("reset {} {}", event.id, static_cast<unsigned>(event.reason)));
        break;
      }
    }
  }
  return fmt::format("{}", fmt::join(lines, ", "));
}

/// Whole frames, printed; payload beyond 16 bytes as its length.
[[nodiscard]] inline std::string describe(bytes_view bytes) {
  std::vector<std::string> lines;
  while (!bytes.empty()) {
    const std::uint8_t version = std::to_integer<std::uint8_t>(bytes[0]);
    const auto header =
        wire::decode_header(bytes.first<wire::smux_header::size>(), version, true, true).value();
    const bytes_view body = bytes.subspan(wire::smux_header::size, header.length);
    bytes = bytes.subspan(wire::smux_header::size + header.length);
    switch (header.command) {
    case wire::smux_command::syn: lines.push_back(fmt::format("SYN {}", header.id)); break;
    case wire::smux_command::fin: lines.push_back(fmt::format("FIN {}", header.id)); break;
    case wire::smux_command::nop: lines.push_back("NOP"); break;
    case wire::smux_command::psh:
      lines.push_back(body.size() > 16 ? fmt::format("PSH {} ({})", header.id, body.size())
                                       : fmt::format("PSH {} {}", header.id, as_text(body)));
      break;
    case wire::smux_command::upd: {
      const auto said = wire::decode_update(body.first<wire::smux_update::size>());
      lines.push_back(fmt::format("UPD {} {}/{}", header.id, said.consumed, said.window));
      break;
    }
    case wire::smux_command::rst:
      lines.push_back(fmt::format("RST {} {}", header.id, load_le32(body)));
      break;
    case wire::smux_command::ack:
      lines.push_back(fmt::format("ACK{} {}", header.id != 0 ? "?" : "", load_le64(body)));
      break;
    }
  }
  return fmt::format("{}", fmt::join(lines, ", "));
}

/// One transmit into a buffer of `room` bytes.
[[nodiscard]] inline std::string said(wire::smux_core& core, std::size_t room = 1 << 20,
                                      time_point now = start) {
  std::vector<std::byte> out(room);
  const std::size_t filled = core.transmit(out, now);
  return describe(bytes_view{out}.first(filled));
}

/// The ids of poll_sent(), in order.
[[nodiscard]] inline std::string sent(wire::smux_core& core) {
  std::vector<wire::stream_id> ids;
  while (const auto id = core.poll_sent()) ids.push_back(*id);
  return fmt::format("{}", fmt::join(ids, " "));
}

} // namespace gotunnel::testing
