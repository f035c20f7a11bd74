// How much of a TCP socket's send buffer is taken, and whether the line is what takes it.
//
// Linux calls a socket writable while no more than two thirds of its buffer are taken, be it by bytes that
// wait or by bytes that are on their way. On a long and wide line the latter alone take so much. Who waits
// for `writable` then leaves a third of the line's capacity alone; and BBR, which sees a sender that never
// has anything waiting, stays in its start-up phase and overflows the line's queues (net/ipv4/tcp_bbr.c,
// bbr_check_full_bw_reached). Such a socket takes more while it has room and few bytes wait: those leave at
// once, so they need not be chosen later.
#pragma once

#include "gotunnel/net/tcp_options.hpp"

#include <cstddef>

namespace gotunnel::net {

struct send_buffer {
  std::size_t size = 0;
  std::size_t taken = 0;  ///< unsent and unacknowledged, with what the kernel needs to keep them
  std::size_t unsent = 0; ///< told only when it matters: when filled_by_line()

  /// Less than this on its way is nothing that a wait for `writable` would miss.
  static constexpr std::size_t long_line = 1024 * 1024;
  /// Free and worth a write.
  static constexpr std::size_t room = 64 * 1024;

  /// Of a TCP socket; nothing is taken of what cannot be asked.
  [[nodiscard]] static send_buffer of(int socket) noexcept;

  /// The kernel would not say writable before much of what is on its way has arrived.
  [[nodiscard]] bool filled_by_line() const noexcept { return taken > long_line && taken > size / 3 * 2; }
  /// By the kernel's own measure for unsent bytes.
  [[nodiscard]] bool takes_more() const noexcept {
    return size > taken && size - taken >= room && unsent < carrier_unsent_bytes / 2;
  }
};

} // namespace gotunnel::net
