// Bytes that must not leak: wiped when dropped, compared in constant time, never printed.
//
// There is no operator<< and no formatter on purpose: a secret in a log line must fail to compile.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

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

/// A secret as the user typed it, or a private key. Copies share the one text, which is wiped with the last
/// of them.
class secret_text {
public:
  secret_text() = default;
  /// Leaves the text where it is: who owns that wipes it, or says take().
  explicit secret_text(std::string_view text)
      : text_(text.empty() ? nullptr : std::make_shared<const wiped_text>(text)) {}
  /// Wipes where it came from.
  [[nodiscard]] static secret_text take(std::string&& text) {
    secret_text taken{std::string_view(text)};
    wipe(text.data(), text.size());
    text.clear();
    return taken;
  }

  [[nodiscard]] bool empty() const noexcept { return text_ == nullptr; }
  /// The text itself: for the seed protocol's line, the key stretcher, the next process and the banner on a
  /// terminal; for nothing else.
  [[nodiscard]] std::string_view reveal() const noexcept {
    return text_ ? std::string_view(text_->bytes.data(), text_->bytes.size()) : std::string_view();
  }

private:
  struct wiped_text {
    explicit wiped_text(std::string_view text) : bytes(text.begin(), text.end()) {}
    wiped_text(const wiped_text&) = delete;
    wiped_text& operator=(const wiped_text&) = delete;
    ~wiped_text() { wipe(bytes.data(), bytes.size()); }

    std::vector<char> bytes;
  };

  std::shared_ptr<const wiped_text> text_;
};

} // namespace gotunnel
