// A long line for a test: the `wan` program, and the way into the networks at its two ends.
//
//   wan_link link({"--delay", "20ms", "--loss", "1%"});
//   const inside right(link.right());                 // from here on this thread is at the right end ...
//   {
//     const inside left(link.left());                 // ... and for a moment at the left one
//     server.emplace(room, setup);
//   }
//   link.tell("cut");
//
// A socket, a child process and a thread stay in the network in which they were made: the left end is
// 10.77.0.1, the right end 10.77.0.2, each has a loopback of its own. Needs root; see lines_possible().
#pragma once

#include "support/child_process.hpp"
#include "support/scratch_directory.hpp"

#include <memory>

namespace gotunnel::testing {

inline const std::string left_ip = "10.77.0.1";
inline const std::string right_ip = "10.77.0.2";

/// Path of `wan`.
[[nodiscard]] std::string wan_program();

/// Whether this machine and this user can have lines at all; says `SKIPPED: ` and why if not.
[[nodiscard]] bool lines_possible();

class wan_link {
public:
  /// Options of `wan` except for the commands. Returns when the line stands.
  explicit wan_link(const std::vector<std::string>& options);

  /// The processes at the ends.
  [[nodiscard]] pid_t left() const noexcept { return left_; }
  [[nodiscard]] pid_t right() const noexcept { return right_; }
  /// Sends one line to the control socket; the answer.
  [[nodiscard]] std::string tell(const std::string& line) const;

private:
  scratch_directory room_;
  std::unique_ptr<child_process> child_; ///< the kernel kills the ends with it
  pid_t left_ = -1;
  pid_t right_ = -1;
};

/// This thread is in the network of another process until the end of the scope. Scopes nest.
class inside {
public:
  explicit inside(pid_t process);
  inside(const inside&) = delete;
  inside& operator=(const inside&) = delete;
  ~inside();

private:
  int before_; ///< a descriptor of the network that this thread came from
};

} // namespace gotunnel::testing
