// A program that a test runs beside itself: the other end of an interop test, or the gotunnel binary.
//
//   child_process server(path, {.arguments = {"server", "-secret", "x"}, .directory = scratch});
//   const auto port = server.wait_for_number(output::out, "listening ", 5s);
//   ...
//   server.signal(SIGTERM);
//   BOOST_TEST(server.wait(5s).value().code == 0);
//
// Both of its outputs are captured all the time (unless the test gives its own), so it never blocks on a full
// pipe; stdin is /dev/null. Every wait has a deadline and no wait sleeps in between. The destructor kills
// this process (its own pid, nothing else) and reaps it. Dies with the test: the kernel kills the child when
// the *thread* that made it ends, so make it on a thread that stays. Any thread may call; errors of fork,
// chdir, limits and exec are thrown by the constructor as std::system_error.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace gotunnel::testing {

enum class output : std::size_t { out = 0, err = 1 };

/// For RLIMIT_NOFILE and the like: both the soft and the hard limit.
struct resource_limit {
  int resource = 0;
  rlim_t value = 0;
};

struct child_options {
  std::vector<std::string> arguments{}; ///< without the program's own name
  std::vector<std::pair<std::string, std::string>>
      environment{};              ///< added to, or replacing, the inherited variables
  bool clean_environment = false; ///< nothing is inherited
  std::string directory{};        ///< working directory; empty: the test's own
  std::vector<resource_limit> limits{};
  int pass = -1; ///< a descriptor that the child has as number 3
  int out = -1;  ///< its standard output, in place of what is captured
  int err = -1;  ///< its standard error, likewise
};

struct exit_status {
  int code = 0;   ///< what the program returned, or 128 + the signal, as a shell says it
  int signal = 0; ///< 0: it left by itself
  rusage usage{}; ///< processor time and peak memory of the whole life
};

class child_process {
public:
  using milliseconds = std::chrono::milliseconds;

  explicit child_process(const std::string& program, const child_options& options = {});
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] bool running() const;

  /// The next line nobody has read yet, without its end; a last line without an end counts too.
  /// Nothing when the deadline passes or the output ended.
  [[nodiscard]] std::optional<std::string> read_line(output which, milliseconds limit);
  /// Reads lines until one contains `text`; that line.
  [[nodiscard]] std::optional<std::string> wait_for(output which, std::string_view text, milliseconds limit);
  /// Reads lines until one starts with `prefix` and goes on with a decimal number ("listening 4711").
  [[nodiscard]] std::optional<std::uint64_t> wait_for_number(output which, std::string_view prefix,
                                                             milliseconds limit);
  /// All that came so far, also what read_line has returned: for the message of a failed check.
  [[nodiscard]] std::string captured(output which) const;

  /// Does nothing when the process is gone.
  void signal(int number);
  /// Nothing when the deadline passes; may be asked again. Once it returned a value, both outputs are
  /// captured to their end.
  [[nodiscard]] std::optional<exit_status> wait(milliseconds limit);
  /// The same for one that leaves processes behind, which hold its outputs: those are not waited for.
  [[nodiscard]] std::optional<exit_status> wait_for_exit(milliseconds limit);

private:
  struct capture {
    int descriptor = -1;
    std::string text;
    std::size_t read = 0;
    bool ended = false;
  };
  using deadline = std::chrono::steady_clock::time_point;

  void capture_outputs();
  void reap();
  std::optional<std::string> line_before(output which, deadline until);

  pid_t pid_ = -1;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::array<capture, 2> captures_;
  std::optional<exit_status> status_;
  int stop_reading_ =
      -1; ///< written to when a grandchild keeps an output open and the test does not want to wait for it
  std::thread reader_;
  std::thread reaper_;
};

} // namespace gotunnel::testing
