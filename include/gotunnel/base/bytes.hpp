// Views of bytes, and integers in a stated byte order.
//
// A `bytes_view` is borrowed: it is valid only as long as the call that received it, unless its giver says
// otherwise. `load_*` and `store_*` require that the span holds the whole integer.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gotunnel {

using bytes_view = std::span<const std::byte>;
using bytes_span = std::span<std::byte>;

[[nodiscard]] inline bytes_view as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span{text.data(), text.size()});
}

[[nodiscard]] inline std::string_view as_text(bytes_view bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

namespace detail {

template <class Integer>
[[nodiscard]] constexpr Integer load(bytes_view from, bool little) noexcept {
  assert(from.size() >= sizeof(Integer));
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    const std::size_t place = little ? sizeof(Integer) - 1 - i : i;
    value = static_cast<Integer>((value << 8) | std::to_integer<Integer>(from[place]));
  }
  return value;
}

template <class Integer>
constexpr void store(bytes_span to, Integer value, bool little) noexcept {
  assert(to.size() >= sizeof(Integer));
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    const std::size_t place = little ? i : sizeof(Integer) - 1 - i;
    to[place] = static_cast<std::byte>(value >> (8 * i));
  }
}

} // namespace detail

[[nodiscard]] constexpr std::uint16_t load_le16(bytes_view b) noexcept {
  return detail::load<std::uint16_t>(b, true);
}
[[nodiscard]] constexpr std::uint32_t load_le32(bytes_view b) noexcept {
  return detail::load<std::uint32_t>(b, true);
}
[[nodiscard]] constexpr std::uint64_t load_le64(bytes_view b) noexcept {
  return detail::load<std::uint64_t>(b, true);
}
[[nodiscard]] constexpr std::uint16_t load_be16(bytes_view b) noexcept {
  return detail::load<std::uint16_t>(b, false);
}
[[nodiscard]] constexpr std::uint32_t load_be32(bytes_view b) noexcept {
  return detail::load<std::uint32_t>(b, false);
}
[[nodiscard]] constexpr std::uint64_t load_be64(bytes_view b) noexcept {
  return detail::load<std::uint64_t>(b, false);
}

constexpr void store_le16(bytes_span b, std::uint16_t v) noexcept { detail::store(b, v, true); }
constexpr void store_le32(bytes_span b, std::uint32_t v) noexcept { detail::store(b, v, true); }
constexpr void store_le64(bytes_span b, std::uint64_t v) noexcept { detail::store(b, v, true); }
constexpr void store_be16(bytes_span b, std::uint16_t v) noexcept { detail::store(b, v, false); }
constexpr void store_be32(bytes_span b, std::uint32_t v) noexcept { detail::store(b, v, false); }
constexpr void store_be64(bytes_span b, std::uint64_t v) noexcept { detail::store(b, v, false); }

/// Lower-case hexadecimal, two characters a byte.
[[nodiscard]] inline std::string to_hex(bytes_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte b : bytes) {
    text.push_back(digits[std::to_integer<unsigned>(b) >> 4]);
    text.push_back(digits[std::to_integer<unsigned>(b) & 15]);
  }
  return text;
}

/// Reads exactly `to.size()` bytes of hexadecimal, either case. False, and `to` unspecified, when `text` is
/// anything else.
[[nodiscard]] inline bool from_hex(std::string_view text, bytes_span to) noexcept {
  if (text.size() != to.size() * 2) return false;
  const auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  for (std::size_t i = 0; i < to.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    to[i] = static_cast<std::byte>(high * 16 + low);
  }
  return true;
}

} // namespace gotunnel
