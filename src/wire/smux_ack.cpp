#include "gotunnel/wire/smux_ack.hpp"

#include <algorithm>

namespace gotunnel::wire {
namespace {

// Alone an ACK costs a record and a system call on both sides; the peer keeps that much longer instead.
constexpr std::uint64_t worth_a_record = 256 * 1024;
constexpr std::uint64_t worth_a_ride = 64 * 1024;
constexpr duration owed_for = 500ms;
// Past owed_for by what a healthy path and a busy peer take.
constexpr duration ask_after = 600ms;
constexpr duration doubt_after = 600ms;
// A path whose kernel still hears of the peer is doubted again.
constexpr duration doubt_again = 500ms;
// pause() is called more often than that.
constexpr duration pause_round = 1s;

} // namespace

void smux_ack::receive(std::size_t count, time_point now) noexcept {
  received_ += count;
  ask_ = has_asked_ = doubt_ = false;
  await(now);
}

void smux_ack::owe(time_point now) noexcept {
  if (owed_at_ == never) owed_at_ = now + owed_for;
  if (received_ - told_ >= worth_a_record) due_ = true;
}

bool smux_ack::worthwhile() const noexcept { return owed_at_ != never && received_ - told_ >= worth_a_ride; }

smux_ack::told smux_ack::tell() noexcept {
  told_ = received_;
  owed_at_ = never;
  due_ = false;
  return {told_, std::exchange(ask_, false)};
}

void smux_ack::transmitted(std::size_t count, bool awaited, time_point now) noexcept {
  sent_ += count;
  if (!awaited) return;
  awaited_ = sent_;
  if (answer_due_ == never) await(now);
}

result<> smux_ack::hear(std::uint64_t count) noexcept {
  if (count > sent_ || count < heard_) return errc::broken_frame;
  heard_ = count;
  acknowledged_ = std::max(acknowledged_, count);
  if (acknowledged_ >= awaited_) answer_due_ = never;
  return {};
}

void smux_ack::await(time_point now) noexcept {
  answer_due_ = acknowledged_ < awaited_ ? now + ask_after : never;
}

time_point smux_ack::deadline() const noexcept { return std::min(due_ ? never : owed_at_, answer_due_); }

void smux_ack::tick(time_point now, duration round_trip) noexcept {
  if (now >= owed_at_) due_ = true;
  if (now < patient_until_) await(now);
  if (now < answer_due_) return;
  if (!has_asked_) {
    ask(now, std::max(doubt_after, 2 * round_trip));
    return;
  }
  doubt_ = true;
  answer_due_ = now + doubt_again;
}

void smux_ack::pause(time_point now) noexcept {
  receive(0, now);
  if (now >= patient_until_) paused_at_ = now;
  patient_until_ = now + (now - paused_at_) + pause_round;
}

void smux_ack::ask(time_point now, duration patience) noexcept {
  answer_due_ = has_asked_ ? std::min(answer_due_, now + patience) : now + patience;
  ask_ = has_asked_ = true;
}

result<> smux_ack::attach(std::uint64_t peer_received, time_point now) noexcept {
  if (peer_received > sent_ || peer_received < acknowledged_) return errc::broken_frame;
  acknowledged_ = peer_received;
  told_ = received_;
  owed_at_ = never;
  due_ = ask_ = has_asked_ = doubt_ = false;
  patient_until_ = {};
  await(now);
  return {};
}

void smux_ack::save(record_writer& to) const {
  for (const std::uint64_t each : {received_, sent_, acknowledged_, heard_, awaited_}) to.put(each);
}

void smux_ack::load(record_reader& from) noexcept {
  for (std::uint64_t* const each : {&received_, &sent_, &acknowledged_, &heard_, &awaited_})
    *each = from.take<std::uint64_t>();
  told_ = received_;
  from.require(heard_ <= acknowledged_ && acknowledged_ <= sent_ && awaited_ <= sent_);
}

} // namespace gotunnel::wire
