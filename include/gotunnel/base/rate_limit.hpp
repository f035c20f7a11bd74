// Lets one event through per period and counts what it held back, so that a fault which repeats does not
// flood the log.
//
//   if (const auto held_back = limit.allow(now)) log(..., *held_back);
#pragma once

#include "gotunnel/base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace gotunnel {

class rate_limit {
public:
  explicit rate_limit(duration period) noexcept : period_(period) {}

  /// The number of events held back since the last one let through; nothing when this one is to be held back
  /// too.
  [[nodiscard]] std::optional<std::uint64_t> allow(time_point now) noexcept {
    if (next_ && now < *next_) {
      ++held_back_;
      return std::nullopt;
    }
    next_ = now + period_;
    return std::exchange(held_back_, 0);
  }

private:
  duration period_;
  std::optional<time_point> next_;
  std::uint64_t held_back_ = 0;
};

/// What a log line adds about those held back: nothing, or ` (7 more since the last such line)`.
[[nodiscard]] inline std::string also_held_back(std::uint64_t count) {
  return count == 0 ? "" : " (" + std::to_string(count) + " more since the last such line)";
}

} // namespace gotunnel
