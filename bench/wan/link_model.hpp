// One direction of a long line, as a machine without input and output: packets and `now` go in, packets that
// have arrived at the other end and the time of the next one come out.
//
//   link_model line(settings, seed);
//   line.enter(packet, now);                        // whatever the near end sends
//   while (auto packet = line.leave(now)) ...       // whatever is due at the far end
//   wait until line.deadline(), or until there is something to enter
//
// A packet waits in a bounded queue for the line (its rate), is then either lost or under way (the delay),
// and arrives. When the queue is full the new packet is dropped.
//
// Guarantees: no packet arrives early, and none is due later than waiting, sending and delay add up to, to
// the nanosecond and without an error that grows. The order is kept, except by packets that are reordered:
// these come late by `lateness`. The fate of the n-th packet that enters depends on the seed, the shares and
// n, and on nothing else. Bounded memory: the queue's limit, and 256 MiB under way.
#pragma once

#include "link_settings.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace gotunnel::wan {

using packet = std::vector<std::byte>;

struct link_counters {
  std::uint64_t entered = 0;
  std::uint64_t left = 0;
  std::uint64_t lost = 0;     ///< by chance
  std::uint64_t late = 0;     ///< reordered
  std::uint64_t overflow = 0; ///< found the queue full
  std::uint64_t gated = 0;    ///< dropped or cut
  duration behind{};          ///< sum, over those that left, of how long after their time they were asked for
  duration most_behind{};
};

/// `entered 12 left 10 lost 1 late 0 overflow 1 gated 0 behind_us 30 most_behind_us 70`: how punctual
/// the driver is, on average and at worst, stands at the end.
[[nodiscard]] std::string describe(const link_counters& counters);

class link_model {
public:
  static constexpr std::size_t most_under_way = 256UL * 1024 * 1024; ///< bytes

  link_model(const link_settings& settings, std::uint64_t seed) : settings_(settings), chance_(seed) {}

  [[nodiscard]] const link_settings& settings() const noexcept { return settings_; }
  [[nodiscard]] const link_counters& counters() const noexcept { return counters_; }
  /// From now on. Packets under way keep their time of arrival; the one on the line starts anew.
  void configure(const link_settings& settings, time_point now);

  void enter(packet entering, time_point now);
  /// The next packet that has arrived by `now`, if there is one.
  [[nodiscard]] std::optional<packet> leave(time_point now);
  /// When leave() may have something next; `never` when only enter() or configure() can change that. It may
  /// have nothing even then: the packet was lost.
  [[nodiscard]] time_point deadline() const noexcept;

private:
  enum class fate : std::uint8_t { in_order, late, lost };
  struct waiting {
    packet content;
    time_point since;
    fate its;
  };
  struct flying {
    packet content;
    time_point due;
  };

  [[nodiscard]] bool happens(double share) noexcept;
  [[nodiscard]] fate draw() noexcept;
  [[nodiscard]] duration sending_time(std::size_t bytes) noexcept;
  void start_sending(time_point earliest) noexcept;
  void advance(time_point now);
  void take_off(waiting sent);

  link_settings settings_;
  std::mt19937_64 chance_;
  link_counters counters_;
  std::deque<waiting> queue_;   ///< the first one is on the line
  time_point sent_{};           ///< when the first of the queue is wholly on its way; else when the last was
  std::uint64_t remainder_ = 0; ///< of the latest division by the rate: a fraction of a nanosecond
  std::deque<flying> in_order_;
  std::deque<flying> late_;
  std::size_t under_way_ = 0; ///< bytes of both
};

} // namespace gotunnel::wan
