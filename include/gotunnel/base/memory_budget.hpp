// How much may wait for slow readers in the whole process (`-memory-limit`), shared by all sessions.
//
//   memory_budget::of_process().set_limit(512 << 20);          // before the workers start; 0: no limit
//   memory_budget::share own(budget);                          // one a session
//   own.report(bytes_waiting_now);                             // as often as it likes
//   core.set_memory(own.allowance(), own.tight());             // now and then
//
// A session may have as much waiting as is still free, and its equal part of the limit at least: one greedy
// session among idle ones gets half, two get a third each, so that something is left for the others. Only
// sessions that still grow towards their equal parts when others have more than theirs can together exceed
// the limit, by half of it at most. From half of the limit on everybody is asked for small windows.
//
// Sessions on all threads share one number. A share changes it when its own has changed by a batch (64 KiB,
// less when the parts are small), not for every frame. Any thread, but each share on one.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace gotunnel {

class memory_budget {
public:
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  memory_budget() = default;
  memory_budget(const memory_budget&) = delete;
  memory_budget& operator=(const memory_budget&) = delete;

  [[nodiscard]] static memory_budget& of_process() noexcept;

  /// Bytes; 0 for no limit.
  void set_limit(std::uint64_t bytes) noexcept { limit_ = bytes; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_.load(std::memory_order_relaxed); }
  /// Bytes of all shares together, short of a batch each.
  [[nodiscard]] std::uint64_t waiting() const noexcept { return waiting_.load(std::memory_order_relaxed); }

  class share {
  public:
    explicit share(memory_budget& of) noexcept;
    share(const share&) = delete;
    share& operator=(const share&) = delete;
    ~share();

    /// What this session has waiting now.
    void report(std::uint64_t bytes) noexcept;
    /// What it may have waiting at most, now.
    [[nodiscard]] std::uint64_t allowance() const noexcept;
    /// More than half of the limit waits.
    [[nodiscard]] bool tight() const noexcept;

  private:
    [[nodiscard]] std::uint64_t equal_part() const noexcept;

    memory_budget& of_;
    std::uint64_t reported_ = 0;
  };

private:
  std::atomic<std::uint64_t> limit_ = 0;
  std::atomic<std::uint64_t> waiting_ = 0;
  std::atomic<std::uint64_t> shares_ = 0;
};

} // namespace gotunnel
