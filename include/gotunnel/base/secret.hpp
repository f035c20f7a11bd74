// Bytes that must not leak: wiped when dropped, compared in constant time, never printed.
//
// There is no operator<< and no formatter on purpose: a secret in a log line must fail to compile.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace gotunnel {

/// Overwrites memory in a way the optimizer must keep.
inline void wipe(void* data, std::size_t size) noexcept {
  if (size == 0) return; // memset takes no null pointer, not even for nothing
  std::memset(data, 0, size);
  asm volatile("" : : "r"(data) : "memory");
}

/// True when both hold the same bytes. Takes the same time wherever they differ; only the lengths may show.
[[nodiscard]] inline bool equal_in_constant_time(bytes_view a, bytes_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= std::to_integer<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

/// A key of `Size` bytes.
template <std::size_t Size>
class secret_key {
public:
  secret_key() = default;
  secret_key(const secret_key&) = default;
  secret_key& operator=(const secret_key&) = default;
  ~secret_key() { wipe(bytes_.data(), bytes_.size()); }

  [[nodiscard]] bytes_view view() const noexcept { return bytes_; }
  [[nodiscard]] bytes_span span() noexcept { return bytes_; }

private:
  std::array<std::byte, Size> bytes_{};
};

/// A secret as the user typed it.
class secret_text {
public:
  secret_text() = default;
  explicit secret_text(std::string text) : text_(std::move(text)) {}
  secret_text(const secret_text&) = default;
  secret_text& operator=(const secret_text&) = default;
  ~secret_text() { wipe(text_.data(), text_.size()); }

  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  /// The text itself: for the seed protocol's line, the key stretcher and the banner on a terminal; for
  /// nothing else.
  [[nodiscard]] std::string_view reveal() const noexcept { return text_; }

private:
  std::string text_;
};

} // namespace gotunnel
