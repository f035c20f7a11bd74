#include "gotunnel/wire/smux_window.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace gotunnel::wire {
namespace {

// The kernel measures microseconds on one machine; waking a process takes longer than that.
constexpr duration least_round_trip = 200us;
// Two round trips keep a sender going that waits for us. On a longer line bytes get lost: everything behind
// the gap waits for a round trip or two, and an UPD comes only when half of the window was drained.
constexpr int round_trips_near = 2;
constexpr int round_trips_far = 8;
constexpr duration far = 1ms;

} // namespace

receive_window::receive_window(std::uint8_t version) noexcept
    : limited_(version >= 2), limit_(limited_ ? initial_window : std::numeric_limits<std::uint64_t>::max()) {}

bool receive_window::consume(std::size_t count, std::uint64_t session_drained, time_point now) noexcept {
  assert(count <= buffered());
  if (consumed_ == announced_) {
    started_ = now;
    others_before_ = session_drained - count - consumed_;
  }
  const bool was_due = due();
  consumed_ += count;
  if (!limited_ || was_due || !due()) return false;
  // A record may have it begin later than now.
  half_took_ = std::max<duration>(now - started_, duration::zero());
  others_drained_ = session_drained - consumed_ - others_before_;
  return true;
}

/// The window that keeps the stream flowing, by how it was drained since the last announcement.
std::uint64_t receive_window::need(duration round_trip) const noexcept {
  using seconds = std::chrono::duration<double>;
  const int round_trips = round_trip > far ? round_trips_far : round_trips_near;
  const auto drained = static_cast<double>(consumed_ - announced_);
  const double took = seconds(std::max<duration>(half_took_, 1us)).count();
  const double flight = drained / took * seconds(std::max(round_trip, least_round_trip)).count();
  const double share = drained / (drained + static_cast<double>(others_drained_));
  return static_cast<std::uint64_t>(
      std::min<double>(std::max(round_trips * flight, share * least_flight), largest_window));
}

smux_update receive_window::announce(const window_climate& climate) noexcept {
  const std::uint32_t most = std::clamp<std::uint32_t>(climate.max_window, 1, largest_window);
  const std::uint64_t needed = consumed_ == 0 ? 0 : need(climate.round_trip);
  if (consumed_ == 0) {
    window_ = std::min(window_, climate.beginning());
  } else if (climate.tight) {
    const auto share = std::max<std::uint64_t>(climate.share, crowd_window);
    window_ = static_cast<std::uint32_t>(std::min<std::uint64_t>({window_, smallest_window, share}));
  } else if (needed > window_) {
    const std::uint64_t doubled = std::max<std::uint64_t>(std::uint64_t{window_} * 2, smallest_window);
    const std::uint64_t grown = std::min<std::uint64_t>({needed, doubled, most});
    if (growth_of(grown) <= growth() + climate.growth_left) window_ = static_cast<std::uint32_t>(grown);
  } else {
    const std::uint64_t shrunken = std::max<std::uint64_t>({needed, window_ / 2, smallest_window});
    const std::uint64_t kept = std::max(window_, smallest_window); // of a stream that began with less
    window_ = static_cast<std::uint32_t>(std::min(kept, shrunken));
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

void receive_window::save(record_writer& to) const {
  to.put(window_);
  for (const std::uint64_t each : {received_, consumed_, announced_, limit_, others_before_, others_drained_})
    to.put(each);
  to.put(started_);
  to.put(half_took_);
}

void receive_window::load(record_reader& from) noexcept {
  window_ = from.take<std::uint32_t>();
  for (std::uint64_t* const each :
       {&received_, &consumed_, &announced_, &limit_, &others_before_, &others_drained_})
    *each = from.take<std::uint64_t>();
  started_ = from.take_time();
  half_took_ = from.take_duration();
  from.require(1 <= window_ && window_ <= largest_window);
  from.require(announced_ <= consumed_ && consumed_ <= received_ && received_ <= limit_);
  from.require(limit_ - announced_ <= largest_window);
}

void send_credit::save(record_writer& to) const {
  to.put(window_);
  to.put(sent_);
  to.put(consumed_);
}

void send_credit::load(record_reader& from) noexcept {
  window_ = from.take<std::uint32_t>();
  sent_ = from.take<std::uint64_t>();
  consumed_ = from.take<std::uint64_t>();
  from.require(window_ <= largest_window && consumed_ <= sent_ && sent_ - consumed_ <= largest_window);
}

} // namespace gotunnel::wire
