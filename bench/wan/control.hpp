// Changing the link while it runs: lines of text, one answer to each.
//
//   pass | drop | cut | freeze                     what happens to packets; see `gate`
//   delay 200ms, rate 10mbit, loss 1%, reorder 1%, reorder-by 5ms, queue 500
//   stats                                          what happened so far
//
// Each may end with `to-left` or `to-right`, and otherwise counts for both directions. The answer is `ok`,
// the figures (a line for each direction), or `error: ` and what is wrong; an error changes nothing.
#pragma once

#include "descriptor.hpp"
#include "forwarder.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::wan {

/// Does what the line says; the answer, with its end of line.
[[nodiscard]] std::string obey(forwarder& link, std::string_view line, time_point now);

/// A Unix datagram socket in the file system, where a command in either side can reach it. A datagram holds
/// lines, 4 KiB at most; the answers go to the sender, if it has a name. Removed by the destructor; one that
/// a killed process left behind is replaced.
class control_socket {
public:
  /// Throws usage_error when another process listens at `path`, or none can.
  explicit control_socket(std::string path);
  control_socket(const control_socket&) = delete;
  control_socket& operator=(const control_socket&) = delete;
  ~control_socket();

  [[nodiscard]] int readable() const noexcept { return socket_.get(); }
  /// Obeys one datagram.
  void serve(forwarder& link) const;

private:
  descriptor socket_;
  std::string path_;
};

/// `wan tell PATH WORD...`: sends one line, prints the answer; the exit code, 1 after `error`.
[[nodiscard]] int tell(const std::vector<std::string>& words);

} // namespace gotunnel::wan
