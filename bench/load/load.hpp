// The loads for which there is no standard tool, and the local service that they meet. Every one returns the
// exit code of its process.
//
// The local service does what the first byte of a connection says, so one tunnel, and one stream of its mux
// beside another, can carry all of it:
//
//   e  echo everything, this byte included
//   u  upload: swallow everything and count it
//   d  download: send until the visitor ends its side
//   c  count: answer each byte with a line, the bytes swallowed so far (asked directly, not through a tunnel)
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace bench {

constexpr char echo_mark = 'e';
constexpr char upload_mark = 'u';
constexpr char download_mark = 'd';
constexpr char count_mark = 'c';

/// As iperf3 has it for TCP.
constexpr std::size_t flood_block = std::size_t{128} * 1024;
/// Beyond so many bulk senders at once a further one keeps little unsent: of a thousand with the kernel's 4
/// MiB each the kernel would run out of memory for TCP, and of a few it changes what is measured.
constexpr std::size_t crowd = 64;
constexpr int crowded_unsent = 128 * 1024;

/// For ever, on one thread for echo and one for bulk, so that neither measures the other's queue.
int serve(std::uint16_t port);

/// 64-byte messages, one at a time; prints the percentiles of their round trips as JSON. Back to back when
/// `pace` is 0, and then quick moments count for more, because more messages fit into them; else one at every
/// beat.
int ping_pong(std::uint16_t port, std::chrono::duration<double> length, std::chrono::milliseconds pace);

/// `streams` streams over `ports` in turns, all on one thread. Prints `flowing` when bytes have arrived, in
/// the end JSON: samples of (CLOCK_MONOTONIC, bytes at the receiver), and what had arrived when all was
/// drained.
struct flood_plan {
  bool upload = false;
  std::chrono::duration<double> length{};
  std::uint16_t service = 0; ///< asked directly for what uploads brought
  std::size_t streams = 0;
  std::vector<std::uint16_t> ports;
};
int flood(const flood_plan& plan);

/// `count` connections that sent and received one byte; prints `ready` and holds them until its input ends.
int hold_idle_visitors(std::uint16_t port, std::size_t count);

} // namespace bench
