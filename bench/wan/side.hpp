// One end of the link: a process in a network of its own, which becomes the command once both ends stand.
//
//   side left({.name = "left", .command = "...", .address = ..., ...});   // throws not_permitted,
//   side right({...});                                                    // std::system_error
//   forward packets between left.interface() and right.interface()
//   left.start(), right.start();
//
// The command runs as `/bin/sh -c`. It and its children are in the network of the side; it knows WAN_SIDE,
// WAN_LOCAL, WAN_PEER and, where there is one, WAN_CONTROL. The kernel kills it when this process dies, and a
// side that was never started ends by itself. The owner reaps.
#pragma once

#include "interface.hpp"

#include <sys/types.h>

#include <stdexcept>

namespace gotunnel::wan {

/// The system does not let us make networks.
class not_permitted : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

struct side_plan {
  std::string name; ///< `left` or `right`
  std::string command;
  side_address address;
  int mtu = 1500;
  bool own_stdin = false; ///< else it reads /dev/null
  std::string control;    ///< path of the control socket; may be empty
};

class side {
public:
  explicit side(const side_plan& plan);

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] int interface() const noexcept { return interface_.get(); }
  void start();

private:
  pid_t pid_ = -1;
  descriptor talk_; ///< to the process, until it is the command
  descriptor interface_;
};

} // namespace gotunnel::wan
