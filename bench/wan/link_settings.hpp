// What one direction of the link does to packets, and the words that change it: the same on the command line
// and at run time.
//
//   link_settings settings;
//   change(settings, "delay", "50ms");      // throws usage_error: one sentence for whoever wrote the word
//
// Values: durations as in `50ms`, `1.5s`; rates as in `100mbit`, `1.5gbit`, `64kbit`, or `unlimited`; shares
// as in `0.1%`; counts of packets; `queue` and `reorder-by` also take `auto`.
#pragma once

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gotunnel::wan {

using app::usage_error;

enum class gate : std::uint8_t {
  pass,   ///< as the other settings say
  drop,   ///< new packets are lost; those on their way arrive
  cut,    ///< all are lost, those on their way too
  freeze, ///< nothing arrives; what fits the queue waits for `pass`
};

struct link_settings {
  duration delay{};       ///< of every packet, one way
  std::uint64_t rate = 0; ///< bits of IP packets a second; 0: no limit
  double loss = 0;        ///< share of the packets, independent of each other
  double reorder = 0;     ///< share of the packets that come late
  std::optional<duration> reorder_by{};
  std::optional<std::size_t> queue{};
  gate mode = gate::pass;

  /// How late a reordered packet is: unless given a quarter of the delay, one millisecond at least.
  [[nodiscard]] duration lateness() const noexcept;
  /// Packets that may wait for the line: unless given what the line carries in one round trip, 500 at least.
  [[nodiscard]] std::size_t queue_limit() const noexcept;
};

void change(link_settings& settings, std::string_view name, std::string_view value);

} // namespace gotunnel::wan
