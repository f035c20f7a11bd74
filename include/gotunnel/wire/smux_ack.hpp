// The counts by which a session outlives its carrier: how much of the session's bytes each side has received.
//
//   receiving: receive(count), owe() for whatever the peer wants to know of; due() -> an ACK with tell()
//   sending:   transmitted(count), hear(what an ACK says); acknowledged() need not be kept for a replay
//   time:      tick(now) when deadline() has come; take_doubt() -> the peer should have answered by now
//   attach(what the peer received) when the session goes on on another carrier
//
// An ACK is due when 256 KiB have come since the last, or half a second after anything but ACKs and
// keepalives did; it goes along earlier, from 64 KiB on, when frames leave anyway. An idle session says
// nothing. Whoever waits for an acknowledgement and hears nothing for 600 ms asks for one (ACK with id 1,
// answered at once), and doubts the path when 600 ms more, or two round trips, bring nothing either. After a
// pause, in which nothing was read, nothing is doubted for as long again: what the peer sent into full
// buffers comes when its TCP tries again, with intervals that doubled meanwhile.
//
// A replay brings old ACKs once more, so an ACK may be behind what the peer said when it came back, but never
// behind the ACK before it, nor beyond what was sent. No clock, no allocation.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/base/record.hpp"

#include <cstdint>
#include <utility>

namespace gotunnel::wire {

class smux_ack {
public:
  // --- what came
  void receive(std::size_t count, time_point now) noexcept;
  /// What is being received is more than ACKs and keepalives.
  void owe(time_point now) noexcept;
  /// The peer wants to know at once.
  void asked() noexcept { due_ = true; }
  [[nodiscard]] bool due() const noexcept { return due_ || ask_; }
  /// Worth its 16 bytes when other frames leave.
  [[nodiscard]] bool worthwhile() const noexcept;
  struct told {
    std::uint64_t received;
    bool ask; ///< the peer is to answer at once
  };
  /// What the ACK that leaves now says.
  [[nodiscard]] told tell() noexcept;
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

  // --- what went
  /// `awaited`: among these bytes is more than ACKs and keepalives.
  void transmitted(std::size_t count, bool awaited, time_point now) noexcept;
  /// errc::broken_frame when the peer cannot have received that, or takes back what it said.
  [[nodiscard]] result<> hear(std::uint64_t count) noexcept;
  [[nodiscard]] std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }

  // --- time
  [[nodiscard]] time_point deadline() const noexcept;
  void tick(time_point now, duration round_trip) noexcept;
  /// Instead of tick() while nothing is read, twice a second at least: the wait for an answer begins anew.
  void pause(time_point now) noexcept;
  /// A question is out, and nothing was heard since.
  [[nodiscard]] bool has_asked() const noexcept { return has_asked_; }
  /// Until then a pause that is over still counts.
  [[nodiscard]] time_point patient_until() const noexcept { return patient_until_; }
  /// True once each time that an answer is overdue.
  [[nodiscard]] bool take_doubt() noexcept { return std::exchange(doubt_, false); }
  /// Asks now, whatever is awaited, and doubts when `patience` brings nothing; an earlier question counts.
  void ask(time_point now, duration patience) noexcept;

  /// Both sides have just told each other what they received. errc::broken_frame as of hear().
  [[nodiscard]] result<> attach(std::uint64_t peer_received, time_point now) noexcept;

  /// The counts alone: attach() comes next, and what time brought begins anew with it.
  void save(record_writer& to) const;
  void load(record_reader& from) noexcept;

private:
  void await(time_point now) noexcept;

  std::uint64_t received_ = 0;
  std::uint64_t told_ = 0;     ///< of received_, by the last ACK
  time_point owed_at_ = never; ///< when an ACK is due at the latest
  bool due_ = false;           ///< now
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t heard_ = 0;       ///< what the last ACK said
  std::uint64_t awaited_ = 0;     ///< of sent_, up to here an answer is expected
  time_point answer_due_ = never; ///< the next step of the doubt
  time_point paused_at_ = never;
  time_point patient_until_{}; ///< nothing is doubted
  bool ask_ = false;           ///< the next ACK asks
  bool has_asked_ = false;     ///< and nothing was heard since
  bool doubt_ = false;
};

} // namespace gotunnel::wire
