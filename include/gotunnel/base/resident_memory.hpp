// Memory that is only kept because it may be needed again, given back to the system in a quiet moment.
//
//   if (quiet for a while, and `worked_until` before that)
//     done = memory_keeper::of_process().rest(worked_until, now);     // not done: ask again in a few seconds
//
// Giving back takes milliseconds in which every thread that allocates waits, so one keeper does it for the
// whole process, whoever asks: at most once in 10 s, and only when the heap has 512 KiB free. The first time
// is always worth it: it is for what the start needed. Any thread.
#pragma once

#include "gotunnel/base/clock.hpp"

#include <atomic>
#include <cstddef>

namespace gotunnel {

class memory_keeper {
public:
  static constexpr duration pace = 10s;
  static constexpr std::size_t worthwhile = 512 * 1024; ///< bytes

  memory_keeper() = default;
  memory_keeper(const memory_keeper&) = delete;
  memory_keeper& operator=(const memory_keeper&) = delete;

  [[nodiscard]] static memory_keeper& of_process() noexcept;

  /// Gives back what this thread's pool of blocks keeps for reuse, and what the heap of the process has free.
  /// True when nothing is left to give back of what was used until `worked_until`, a time before `now`.
  [[nodiscard]] bool rest(time_point worked_until, time_point now) noexcept;
  /// How often the heap was given back.
  [[nodiscard]] std::size_t times() const noexcept { return times_.load(std::memory_order_relaxed); }

private:
  std::atomic<time_point> rested_at_{}; ///< when rest() last looked at the heap
  std::atomic<std::size_t> times_ = 0;
};

/// What memory_keeper::rest() does when it is time: what this thread's pool keeps for reuse, what the heap of
/// the process has free, and the pages of code that ran but once: a start, a handshake, a library that tests
/// itself. What is needed again comes back by itself.
void return_unused_memory() noexcept;

} // namespace gotunnel
