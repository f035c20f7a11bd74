#include "gotunnel/wire/smux_window.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace gotunnel::wire {
namespace {

// A sender that is limited by the window drains half of it in half a round trip; four leave room for readers
// that come and go.
constexpr int round_trips_for_half = 4;
// On a local network the kernel measures microseconds, and the scheduling of two processes takes longer than
// that.
constexpr duration least_round_trip = 1ms;

} // namespace

receive_window::receive_window(std::uint8_t version) noexcept
    : limited_(version >= 2), limit_(limited_ ? initial_window : std::numeric_limits<std::uint64_t>::max()) {}

bool receive_window::consume(std::size_t count, time_point now) noexcept {
  assert(count <= buffered());
  if (consumed_ == announced_) started_ = now;
  const bool was_due = due();
  consumed_ += count;
  if (!limited_ || was_due || !due()) return false;
  half_took_ = now - started_;
  return true;
}

smux_update receive_window::announce(const window_climate& climate) noexcept {
  const std::uint32_t most = std::clamp<std::uint32_t>(climate.max_window, 1, largest_window);
  const bool fast = half_took_ <= round_trips_for_half * std::max(climate.round_trip, least_round_trip);
  if (climate.tight) {
    window_ = std::min(window_, smallest_window);
  } else if (fast) {
    const std::uint64_t doubled = std::min<std::uint64_t>(std::uint64_t{window_} * 2, most);
    if (growth_of(doubled) <= growth() + climate.growth_left) window_ = static_cast<std::uint32_t>(doubled);
  }
  window_ = std::min(window_, most);
  announced_ = consumed_;
  limit_ = std::max(limit_, consumed_ + window_);
  return {.consumed = static_cast<std::uint32_t>(consumed_), .window = window_};
}

std::uint64_t send_credit::available() const noexcept {
  if (!limited_) return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t in_flight = sent_ - consumed_;
  return window_ > in_flight ? window_ - in_flight : 0;
}

result<> send_credit::update(const smux_update& said) noexcept {
  // At most largest_window is ever in flight, so the sign of the 32-bit difference tells "more than sent"
  // without doubt.
  const std::uint32_t in_flight = static_cast<std::uint32_t>(sent_) - said.consumed;
  if (static_cast<std::int32_t>(in_flight) < 0) return errc::flow_control;
  // Two readers of one stream in a Go peer may send their UPDs in the wrong order: an older one says nothing
  // new.
  if (in_flight > sent_ - consumed_) return {};
  consumed_ = sent_ - in_flight;
  window_ = std::min(said.window, largest_window);
  return {};
}

} // namespace gotunnel::wire
