// Lets a few events through at once and then one per period, and counts what it held back, so that a fault
// which repeats does not flood the log.
//
//   if (const auto held_back = limit.allow(now)) log(..., *held_back);
//
// On one thread. Lines that a peer can cause take a `log::limit` (base/log), which is one of these for the
// process.
#pragma once

#include "gotunnel/base/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace gotunnel {

class rate_limit {
public:
  /// After a quiet time of `burst` periods, `burst` events may follow each other.
  explicit constexpr rate_limit(duration period, unsigned burst = 1) noexcept
      : period_(period), burst_(burst) {}

  /// The number of events held back since the last one let through; nothing when this one is to be held back
  /// too.
  [[nodiscard]] std::optional<std::uint64_t> allow(time_point now) noexcept {
    // Each event puts the end of its credit off by one period.
    const time_point spent_until = std::max(spent_until_, now) + period_;
    if (spent_until > now + period_ * burst_) {
      ++held_back_;
      return std::nullopt;
    }
    spent_until_ = spent_until;
    return std::exchange(held_back_, 0);
  }

private:
  duration period_;
  unsigned burst_;
  time_point spent_until_ = time_point::min();
  std::uint64_t held_back_ = 0;
};

/// What a log line adds about those held back: nothing, or ` (7 more since the last such line)`.
[[nodiscard]] inline std::string also_held_back(std::uint64_t count) {
  return count == 0 ? "" : " (" + std::to_string(count) + " more since the last such line)";
}

} // namespace gotunnel
