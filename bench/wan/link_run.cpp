#include "link_run.hpp"

#include "control.hpp"
#include "family.hpp"
#include "forwarder.hpp"
#include "poller.hpp"
#include "side.hpp"

#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

namespace gotunnel::wan {
namespace {

// A /30 for the two: from the range of private networks, where hardly anybody has theirs.
const side_address left_address{"10.77.0.1", "10.77.0.2"};
const side_address right_address{"10.77.0.2", "10.77.0.1"};

time_point now() { return std::chrono::steady_clock::now(); }

/// Signals as something to read. The sides take the block back before they become commands.
descriptor signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int each : {SIGCHLD, SIGINT, SIGTERM, SIGHUP}) sigaddset(&wanted, each);
  ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
  return {::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"};
}

class link_run {
public:
  explicit link_run(const options& wanted)
      : signals_(signals()), left_(plan(wanted, true)), right_(plan(wanted, false)),
        link_(left_.interface(), right_.interface(), wanted.link, wanted.seed) {
    commands_.adopt(left_.pid());
    commands_.adopt(right_.pid());
    if (!wanted.control.empty()) control_.emplace(wanted.control);
    poller_.watch(left_.interface(), [this] { link_.receive(direction::to_right); });
    poller_.watch(right_.interface(), [this] { link_.receive(direction::to_left); });
    poller_.watch(signals_.get(), [this] { take_signal(); });
    if (control_) poller_.watch(control_->readable(), [this] { control_->serve(link_); });
  }

  int run() {
    left_.start();
    right_.start();
    // The commands have been started with the slack of the system; we promise less than a millisecond.
    // A higher priority than theirs would not help: it starves the receiver, whose kernel then drops packets.
    ::prctl(PR_SET_TIMERSLACK, 1);
    // The link works to the last: a server that ends may have something to say.
    while (!commands_.gone()) {
      poller_.wait(std::min(link_.deadline(), commands_.deadline()));
      link_.deliver();
      if (now() >= commands_.deadline()) commands_.remind(now());
    }
    if (ended_by_ != 0) return 128 + ended_by_;
    return commands_.ended(right_.pid()).value_or(1);
  }

private:
  static side_plan plan(const options& wanted, bool left) {
    return {.name = left ? "left" : "right",
            .command = left ? wanted.left : wanted.right,
            .address = left ? left_address : right_address,
            .mtu = wanted.mtu,
            .own_stdin = !left,
            .control = wanted.control};
  }

  void take_signal() {
    signalfd_siginfo what{};
    if (::read(signals_.get(), &what, sizeof what) != sizeof what) return;
    const int number = static_cast<int>(what.ssi_signo);
    if (number == SIGCHLD) return look_after_commands();
    if (ended_by_ == 0 && !commands_.ending()) ended_by_ = number;
    commands_.end(now());
  }

  void look_after_commands() {
    commands_.reap(now());
    const auto left_code = commands_.ended(left_.pid());
    const auto right_code = commands_.ended(right_.pid());
    if (right_code) return commands_.end(now());
    // The right one decides, but whoever waits for it wants to know why it waits.
    if (left_code.value_or(0) != 0 && !std::exchange(left_told_, true))
      fmt::print(stderr, "wan: the left command has ended with exit code {}\n", *left_code);
  }

  family commands_;
  descriptor signals_;
  side left_;
  side right_;
  forwarder link_;
  std::optional<control_socket> control_;
  poller poller_;
  int ended_by_ = 0;
  bool left_told_ = false;
};

} // namespace

int run_link(const options& wanted) { return link_run(wanted).run(); }

} // namespace gotunnel::wan
