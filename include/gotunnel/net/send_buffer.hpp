// How much of a TCP socket's send buffer is taken, and whether the line is what takes it.
//
// Linux calls a socket writable while no more than two thirds of its buffer are taken, be it by bytes that
// wait or by bytes that are on their way. On a long and wide line the latter alone take so much, and who
// waits for `writable` leaves a third of it alone. Such a socket takes more while it has room, few bytes
// wait, and those on their way stand in no queue: what is written then leaves at once, so it need not be
// chosen later.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include <cstddef>
#include <cstdint>

namespace gotunnel::net {

/// Whether packets wait on the line: a round trip takes a quarter more than the shortest one did.
[[nodiscard]] constexpr bool queues_stand(duration round_trip, duration shortest) noexcept {
  return round_trip > shortest + shortest / 4;
}

struct send_buffer {
  std::size_t size = 0;
  std::size_t taken = 0; ///< unsent and unacknowledged, with what the kernel needs to keep them
  // Told only when it matters, when filled_by_line():
  std::size_t unsent = 0;
  std::uint64_t rate = 0; ///< bytes a second at which the unsent leave
  bool queues = false;    ///< queues_stand()

  /// Who has less than this on its way does not miss a third of the buffer.
  static constexpr std::size_t long_line = 1024 * 1024;
  /// Free and worth a write.
  static constexpr std::size_t room = 64 * 1024;

  /// Of a TCP socket; nothing is taken of what cannot be asked.
  [[nodiscard]] static send_buffer of(int socket) noexcept;

  /// The kernel will not say writable before much of what is on its way has arrived.
  [[nodiscard]] bool filled_by_line() const noexcept { return taken > long_line && taken > size / 3 * 2; }
  /// By the kernel's own measure for unsent bytes.
  [[nodiscard]] bool takes_more() const noexcept {
    return size > taken && size - taken >= room && unsent < carrier_unsent_bytes / 2 && !queues;
  }
  /// In which the line takes what may be unsent, or in which it is worth to look again: nobody tells when a
  /// buffer that is filled by the line takes more.
  [[nodiscard]] duration pause() const noexcept;
};

} // namespace gotunnel::net
