#include "gotunnel/base/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace gotunnel {
namespace {

struct character {
  std::size_t size;   ///< bytes; one for a byte that is no character
  std::uint32_t code; ///< the code point
  bool valid;
};

/// The first character of a text that is not empty, as RFC 3629 has it.
character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const character none{1, byte(0), false};
  const unsigned first = byte(0);
  if (first < 0x80) return {1, first, true};
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return none;
  std::uint32_t code = first & (0x7fU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return none;
    code = code << 6 | (byte(i) & 0x3fU);
  }
  // Longer than needed, half of a surrogate pair, or beyond the last code point.
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return none;
  return {size, code, true};
}

bool shown_as_it_is(const character& one) {
  const auto within = [&](std::uint32_t first, std::uint32_t last) {
    return one.code >= first && one.code <= last;
  };
  const bool control = within(0, 0x1f) || within(0x7f, 0x9f);
  const bool separator = within(0x2028, 0x2029);
  const bool direction =
      one.code == 0x61c || within(0x200e, 0x200f) || within(0x202a, 0x202e) || within(0x2066, 0x2069);
  return one.valid && !control && !separator && !direction;
}

/// Copies what may be shown, and lets `escape` write the rest.
template <class Escape>
void copy_shown(std::string& line, std::string_view text, Escape escape) {
  while (!text.empty()) {
    const character one = first_of(text);
    const std::string_view bytes = text.substr(0, one.size);
    if (shown_as_it_is(one))
      line += bytes;
    else
      escape(one, bytes);
    text.remove_prefix(one.size);
  }
}

} // namespace

void append_printable(std::string& line, std::string_view text) {
  copy_shown(line, text, [&line](const character&, std::string_view bytes) {
    for (const char each : bytes) line += fmt::format("\\x{:02x}", static_cast<unsigned char>(each));
  });
}

std::string printable(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  append_printable(line, text);
  return line;
}

std::string printable_json(std::string_view json) {
  std::string line;
  line.reserve(json.size());
  // All that is escaped lies in the Basic Multilingual Plane.
  copy_shown(line, json, [&line](const character& one, std::string_view) {
    line += fmt::format("\\u{:04x}", one.valid ? one.code : 0xfffd);
  });
  return line;
}

} // namespace gotunnel
