// What the program says on standard output and standard error. Whoever speaks never waits for whoever reads.
//
//   output& said = output::of_process();
//   said.say(output::stream::err, "a line\n");      // any thread
//   said.start();                                   // from here on a thread of its own writes
//   said.flush(output::farewell);                   // before the process ends
//
// Each stream has a queue of 256 KiB and keeps the order of its lines. A line that finds the queue full is
// dropped and counted (counter::log_lines_lost). When half of the queue is free again, a line says how many
// were lost. An error of the descriptor, like a full disk, loses nothing else: the same bytes are tried
// again, at least once a second. Only when nobody can ever read them (EPIPE, EBADF) are they dropped at once.
//
// Standard error goes first: a log line is there before a `ready:` that was said after it. A line of up to
// 4096 bytes is one write, so that lines of two processes on one pipe do not mix.
//
// Before start() the speaker writes what the descriptor takes at once, and the rest waits. Call start() after
// the last fork, and inside the sandbox, which holds for threads that are started later. A forked child of a
// process that has used of_process() begins with empty queues and without the thread.
#pragma once

#include "gotunnel/base/clock.hpp"

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace gotunnel {

class output {
public:
  enum class stream : std::size_t { err, out };
  /// The line that tells of a loss, with its end. It must not use this output.
  using loss_line = std::string (*)(std::uint64_t lines);

  static constexpr std::size_t queue_limit = 256UL * 1024;
  /// How long the end of the program may wait for a reader.
  static constexpr duration farewell = 1s;

  /// Of descriptors 1 and 2. It is never destroyed: threads may speak until the process is gone.
  static output& of_process();

  output(int out, int err);
  output(const output&) = delete;
  output& operator=(const output&) = delete;
  ~output(); ///< what waits is lost

  /// What tells of lines that standard error lost; without it only the counter does.
  void tell_losses(loss_line make);
  /// One line or more, with their ends.
  void say(stream where, std::string_view text);
  /// Standard output for a command that has nothing else to do: waits for the reader, however long. Before
  /// start().
  void print(std::string_view text) const;
  void start();
  /// Waits until all that was said is written, at most `limit`; not for a descriptor that fails. True when
  /// all is.
  bool flush(duration limit);
  /// The same for a signal handler, when the thread writes.
  void flush_in_handler(duration limit) const noexcept;

private:
  struct lane {
    int descriptor;
    std::string waiting{};
    std::uint64_t lost = 0; ///< and not told yet; nothing is queued meanwhile
    bool failing = false;
    duration pause{};
    time_point next_try{};
  };

  void write_on();
  bool write_some(std::unique_lock<std::mutex>& lock, duration limit);
  void settle(lane& of, std::size_t written, int error);
  void drop(lane& of);
  [[nodiscard]] bool unsaid() const noexcept;
  void before_fork() { mutex_.lock(); }
  void in_parent() { mutex_.unlock(); }
  void in_child();

  mutable std::mutex mutex_;
  std::array<lane, 2> lanes_;
  loss_line losses_ = nullptr;
  std::condition_variable spoken_;
  std::condition_variable settled_;
  std::atomic<std::size_t> backlog_{0}; ///< bytes that wait in both lanes
  bool writing_ = false;                ///< somebody is, without the lock
  bool ending_ = false;
  bool started_ = false;
  std::thread writer_;
};

} // namespace gotunnel
