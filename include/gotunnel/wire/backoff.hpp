// How long to wait before the next attempt: a pure sequence, given chance from outside.
//
//   wait(delays.next(random01));   // after each failure
//   delays.reset();                // after each success
//
// Each step is twice the one before, up to the cap; each delay lies between half of its step and the whole of
// it, so that many clients that lost one server do not come back in one instant.
#pragma once

#include "gotunnel/base/clock.hpp"

namespace gotunnel::wire {

class backoff {
public:
  /// Negative times count as zero; `first` is at most `cap`.
  explicit backoff(duration first = 500ms, duration cap = 15s) noexcept;

  /// The delay before the next attempt, and the step after it. `random01` is uniform in [0, 1).
  [[nodiscard]] duration next(double random01) noexcept;
  void reset() noexcept { step_ = first_; }

private:
  duration cap_;
  duration first_;
  duration step_;
};

} // namespace gotunnel::wire
