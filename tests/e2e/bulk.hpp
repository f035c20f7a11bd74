// Many bytes that are easy to check: a pattern of which every part differs, sent and received in pieces.
#pragma once

#include "support/loopback.hpp"

#include <cstdint>
#include <string_view>

namespace gotunnel::testing {

/// A position in an endless pattern.
class pattern {
public:
  explicit pattern(std::uint64_t seed) : seed_(seed) {}
  /// The next `size` bytes.
  [[nodiscard]] std::string next(std::size_t size);
  /// Whether `bytes` are the next ones; moves on when they are.
  [[nodiscard]] bool matches(std::string_view bytes) { return next(bytes.size()) == bytes; }

private:
  std::uint64_t seed_;
  std::uint64_t at_ = 0;
};

void send_pattern(const loopback_socket& to, std::size_t size, std::uint64_t seed);
/// Reads to the end of the stream or the first wrong byte; how many were right.
[[nodiscard]] std::size_t receive_pattern(const loopback_socket& from, std::uint64_t seed);

/// Ends the connection with a reset; the descriptor stays, unconnected.
void reset(const loopback_socket& socket);
/// How a connection ends: waits for it, dropping what comes before.
enum class how { fin, rst, not_yet };
[[nodiscard]] how ends(const loopback_socket& socket, std::chrono::milliseconds limit);

} // namespace gotunnel::testing
