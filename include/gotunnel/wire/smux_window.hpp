// Flow control of one smux stream, version 2: what we grant to the peer, and what the peer grants to us.
//
// Receiving: every smux sender assumes 262144 bytes at first. `receive_window` counts what came and what the
// reader drained, and says when an UPD is due: when half of the granted window was drained. What it
// announces is what the stream needs, and no more: bytes beyond that would only stand in a queue, and whoever
// shares the carrier would wait behind them. A stream needs
//   what it drains in two round trips, so that a sender that waits for us is always given more; in eight when
//   the round trip is longer than 1 ms, so that lost packets of the carrier do not stop it;
//   its share, by what it drains, of the 768 KiB that a session may always have under way: between processes
//   the round trip is shorter than their turns on the processor.
// A window at most doubles, while the session lets it grow, and at most halves, down to 64 KiB; to those at
// once while the session's memory is tight, so that slow readers cannot fill it.
// Among many streams the first UPD comes before any byte was drained: it takes the initial window down to the
// stream's share, so that all initial windows together stay within half of the session's memory. A peer that
// has sent more than that meanwhile has done nothing wrong.
// A shrunken window takes nothing back: the peer is held to the farthest offset that it was ever told.
//
// Sending: `send_credit` follows the peer's UPDs. Its window may shrink below what is in flight: nothing may
// be sent then until the peer has read on.
//
// save() and load() carry both to the process that takes the session over; a loaded window has the version of
// the one that was saved. Counters have 64 bits here and 32 on the wire. Version 1 has no windows: both sides
// are unlimited and no UPD is ever due. Follows xtaci/smux (stream.go). No clock, no allocation.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/base/record.hpp"
#include "gotunnel/wire/smux_frame.hpp"

#include <algorithm>

namespace gotunnel::wire {

/// What every sender assumes before the first UPD, in bytes.
inline constexpr std::uint32_t initial_window = 256 * 1024;
/// What is announced at least, and while memory is tight: the window of a plain smux peer.
inline constexpr std::uint32_t smallest_window = 64 * 1024;
/// What is announced at least when many streams share tight memory, and to a stream that has just begun.
inline constexpr std::uint32_t crowd_window = 4 * 1024;
/// What a stream begins with at most while memory is tight.
inline constexpr std::uint32_t tight_beginning = 16 * 1024;
/// What the streams of a session together may have under way, however short the round trip.
inline constexpr std::uint32_t least_flight = 768 * 1024;
/// No window is announced or used beyond this: smux computes with signed 32-bit differences.
inline constexpr std::uint32_t largest_window = 1u << 30;

/// What a session lets its windows do, at the moment of an announcement.
struct window_climate {
  duration round_trip = 1ms;
  std::uint32_t max_window = 16 * 1024 * 1024;
  std::uint64_t growth_left = 0;        ///< bytes by which all windows of the session together may still grow
  std::uint64_t share = initial_window; ///< what each stream may have of half of the session's memory
  bool tight = false;                   ///< much of the session's memory waits for slow readers

  /// What a stream that begins now is granted.
  [[nodiscard]] std::uint32_t beginning() const noexcept {
    const std::uint32_t most = tight ? tight_beginning : initial_window;
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(share, crowd_window, most));
  }
};

class receive_window {
public:
  explicit receive_window(std::uint8_t version) noexcept;

  /// Whether the peer may send `count` more bytes now.
  [[nodiscard]] bool permits(std::size_t count) const noexcept { return count <= limit_ - received_; }
  void receive(std::size_t count) noexcept { received_ += count; }
  /// The reader drained `count` bytes, of those received, and all readers of the session together
  /// `session_drained` so far. True when an UPD became due by that.
  [[nodiscard]] bool consume(std::size_t count, std::uint64_t session_drained, time_point now) noexcept;
  /// Decides on the window and says it; the caller puts it on the wire.
  [[nodiscard]] smux_update announce(const window_climate& climate) noexcept;

  [[nodiscard]] std::uint64_t drained() const noexcept { return consumed_; }
  [[nodiscard]] std::uint64_t buffered() const noexcept { return received_ - consumed_; }
  [[nodiscard]] std::uint32_t size() const noexcept { return window_; }
  /// Bytes by which the window exceeds the initial one: what it takes of the session's budget of growth.
  [[nodiscard]] std::uint64_t growth() const noexcept { return growth_of(window_); }

  void save(record_writer& to) const;
  void load(record_reader& from) noexcept;

private:
  [[nodiscard]] static std::uint64_t growth_of(std::uint64_t window) noexcept {
    return window > initial_window ? window - initial_window : 0;
  }
  [[nodiscard]] std::uint64_t need(duration round_trip) const noexcept;
  [[nodiscard]] bool due() const noexcept { return consumed_ - announced_ >= window_ / 2; }

  bool limited_;
  std::uint32_t window_ = initial_window;
  std::uint64_t received_ = 0;
  std::uint64_t consumed_ = 0;
  std::uint64_t announced_ = 0;      ///< consumed_ as the last UPD said it
  std::uint64_t limit_;              ///< the farthest offset the peer was ever granted
  time_point started_{};             ///< when the first byte after the last UPD was drained
  std::uint64_t others_before_ = 0;  ///< what other streams had drained then
  duration half_took_{};             ///< from then until the UPD was due
  std::uint64_t others_drained_ = 0; ///< by other streams meanwhile
};

class send_credit {
public:
  explicit send_credit(std::uint8_t version) noexcept : limited_(version >= 2) {}

  /// Bytes that may be sent now.
  [[nodiscard]] std::uint64_t available() const noexcept;
  void spend(std::size_t count) noexcept { sent_ += count; }
  /// errc::flow_control when the peer claims to have read more than was sent.
  [[nodiscard]] result<> update(const smux_update& said) noexcept;

  void save(record_writer& to) const;
  void load(record_reader& from) noexcept;

private:
  bool limited_;
  std::uint32_t window_ = initial_window;
  std::uint64_t sent_ = 0;
  std::uint64_t consumed_ = 0; ///< what the peer has read, as far as it told
};

} // namespace gotunnel::wire
