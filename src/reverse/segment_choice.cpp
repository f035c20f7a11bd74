#include "gotunnel/reverse/segment_choice.hpp"

#include "gotunnel/net/tcp_options.hpp"

#include <array>

namespace gotunnel::reverse {
namespace {

constexpr std::array sizes{0, net::small_segment, net::smallest_segment};
constexpr int patience = 2; // carriers
constexpr duration kept_for = 1h;

} // namespace

void segment_choice::lost(bool moved_on, time_point now) noexcept {
  if (moved_on) {
    fruitless_ = 0;
    return;
  }
  if (size(now) == 0) step_ = 0;
  if (++fruitless_ < patience) return;
  fruitless_ = 0;
  step_ = (step_ + 1) % static_cast<int>(sizes.size());
  kept_until_ = now + kept_for;
}

void segment_choice::worked(int size, time_point now) noexcept {
  if (size == this->size(now)) return;
  for (step_ = 0; sizes[static_cast<std::size_t>(step_)] != size;) ++step_;
  kept_until_ = now + kept_for;
}

int segment_choice::size(time_point now) const noexcept {
  return now < kept_until_ ? sizes[static_cast<std::size_t>(step_)] : 0;
}

} // namespace gotunnel::reverse
