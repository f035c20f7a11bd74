#include "gotunnel/wire/backoff.hpp"

#include <algorithm>

namespace gotunnel::wire {

backoff::backoff(duration first, duration cap) noexcept
    : cap_(std::max(cap, duration::zero())), first_(std::clamp(first, duration::zero(), cap_)),
      step_(first_) {}

duration backoff::next(double random01) noexcept {
  // Written so that a NaN becomes 0 too.
  const double share = random01 > 0.0 ? std::min(random01, 1.0) : 0.0;
  const duration half = step_ / 2;
  // The rest is at most 2^62 ns, which a double holds exactly: the conversion back cannot overflow.
  const auto rest = static_cast<double>((step_ - half).count());
  const duration delay = std::min(step_, half + duration{static_cast<duration::rep>(rest * share)});
  step_ = step_ > cap_ / 2 ? cap_ : step_ * 2;
  return delay;
}

} // namespace gotunnel::wire
