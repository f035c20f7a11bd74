// When to slow a connection down for a moment, so that TCP BBR leaves its start-up phase.
//
// In start-up BBR sends 2.89 times what it has seen the line carry, and it leaves the phase after three round
// trips that brought no more although something always waited to be sent (net/ipv4/tcp_bbr.c,
// bbr_check_full_bw_reached). On a line that with its queues holds as much as the send buffer
// (net/send_buffer) nothing ever waits: the phase does not end, the queues stand full, what overflows is sent
// again, and every message waits behind them. A little below the line's rate something waits soon.
//
//   if (startup.due(now))
//     if (const auto limit = startup.advise(bbr_startup::look(socket), now)) ... set SO_MAX_PACING_RATE
//
// Asked while the line fills the buffer, and until slowed() is false again. Of other congestion controls
// nothing is known, and nothing is changed.
#pragma once

#include "gotunnel/base/clock.hpp"

#include <optional>

namespace gotunnel::net {

class bbr_startup {
public:
  /// Bytes a second.
  using rate = unsigned long;
  static constexpr rate unlimited = ~rate{0};

  struct view {
    bool starting = false;
    rate carried = 0;      ///< the most that the line has been seen to carry
    duration round_trip{}; ///< now
    duration shortest{};   ///< of all lately: without queues
  };
  /// Of a TCP socket; nothing where BBR is not at work.
  [[nodiscard]] static std::optional<view> look(int socket) noexcept;

  [[nodiscard]] bool due(time_point now) const noexcept { return now >= due_; }
  [[nodiscard]] bool slowed() const noexcept { return slowed_; }
  /// The pacing limit to be set from now on, if it is to be another. The first look only remembers what it
  /// saw; a later one slows down when the line has not carried much more since.
  [[nodiscard]] std::optional<rate> advise(const std::optional<view>& seen, time_point now) noexcept;

private:
  duration patience_ = 1s; ///< between two looks; doubled by every attempt
  time_point due_{};
  rate carried_before_ = 0; ///< at the last look; 0: never
  bool slowed_ = false;
};

} // namespace gotunnel::net
