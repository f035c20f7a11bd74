// The processes that this one has started, and theirs whose parents are gone.
//
//   family commands;                       // before the first fork
//   commands.adopt(left), commands.adopt(right)
//   commands.reap(now) on SIGCHLD          // ended(right) then says how it ended
//   commands.end(now)                      // SIGTERM to all; SIGKILL to all after the grace
//   until commands.gone(): reap on SIGCHLD, remind(now) at deadline()
//
// Signals go to children of this process that are not yet reaped, so a process id cannot be a stranger's.
#pragma once

#include "gotunnel/base/clock.hpp"

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>

namespace gotunnel::wan {

class family {
public:
  static constexpr duration grace = 5s;

  family();

  void adopt(pid_t child) { known_.insert(child); }
  void reap(time_point now);
  /// As a shell says it: the exit code, or 128 + the signal. Nothing while it runs.
  [[nodiscard]] std::optional<int> ended(pid_t who) const;
  /// No effect when it was called before.
  void end(time_point now);
  [[nodiscard]] bool ending() const noexcept { return deadline_.has_value(); }
  [[nodiscard]] bool gone() const noexcept { return gone_; }

  void remind(time_point now);
  [[nodiscard]] time_point deadline() const noexcept { return ending() && !killing_ ? *deadline_ : never; }

private:
  void signal_children();

  std::set<pid_t> known_;      ///< not yet reaped
  std::map<pid_t, int> codes_; ///< of those that were known
  std::set<pid_t> told_;       ///< have had the signal of this stage
  std::optional<time_point> deadline_;
  bool killing_ = false;
  bool gone_ = false;
};

} // namespace gotunnel::wan
