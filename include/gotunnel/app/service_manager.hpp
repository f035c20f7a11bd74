// What the manager that has started this process is told: systemd, or whatever speaks its protocol.
//
//   service_manager manager;                                    // of the environment; before become_user and sandbox
//   if (!manager.trouble().empty()) log::warn(...);             // it is not told anything then
//   manager.ready("serving on 0.0.0.0:7000");                   // Type=notify waits for that
//   tasks.spawn("watchdog", manager.keep_alive());              // WatchdogSec=: until it is cancelled
//   manager.reloading(); ... manager.reloaded();                // Type=notify-reload waits for both
//   manager.main_process(pid);                                  // another process serves from now on
//   manager.stopping("...");
//
// The protocol: datagrams of NAME=VALUE lines to the Unix socket that NOTIFY_SOCKET names, a path or, behind
// '@', an abstract name (sd_notify(3)); WATCHDOG_USEC, in which time it wants to hear WATCHDOG=1 of the
// process WATCHDOG_PID (sd_watchdog_enabled(3)). The socket is connected at once, so that neither another
// user nor the sandbox comes between. NOTIFY_SOCKET and WATCHDOG_USEC stay in the environment for a process
// that takes over; WATCHDOG_PID, which is another then, is taken out. A manager that does not listen is not
// waited for: what does not fit into its queue is dropped, and logged at level debug. One thread.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/task.hpp"

#include <string>
#include <string_view>

#include <sys/types.h>

namespace gotunnel::app {

namespace asio = boost::asio;

class service_manager {
public:
  /// Reads the environment.
  service_manager();

  /// There is one, and it can be told.
  [[nodiscard]] bool listens() const noexcept { return static_cast<bool>(socket_); }
  /// Why it is told nothing although it asked for it; empty: nothing is wrong.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
  /// How often it wants a sign of life at least; 0: not at all.
  [[nodiscard]] duration watchdog() const noexcept { return watchdog_; }

  /// `status` is one line for people.
  void ready(std::string status);
  void reloading();
  /// Ready, with the same status as before.
  void reloaded();
  /// The last that is said.
  void stopping(std::string_view status);
  void main_process(pid_t process);

  /// Twice in the time of the watchdog. Returns at once when there is none.
  [[nodiscard]] asio::awaitable<void> keep_alive();

private:
  void open(std::string_view name);
  void tell(std::string_view lines);

  net::descriptor socket_;
  std::string trouble_;
  std::string status_;
  duration watchdog_{};
  bool stopping_ = false;
};

} // namespace gotunnel::app
