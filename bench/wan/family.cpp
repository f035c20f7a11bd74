#include "family.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

namespace gotunnel::wan {
namespace {

/// Of the main thread, which is the only one. Nothing where the kernel does not keep the list.
std::set<pid_t> children() {
  std::ifstream list("/proc/thread-self/children");
  std::set<pid_t> all;
  for (pid_t child = 0; list >> child;) all.insert(child);
  return all;
}

} // namespace

/// What a command leaves in the background comes to us when the command ends, and not to init.
family::family() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

void family::reap(time_point now) {
  for (;;) {
    int status = 0;
    const pid_t who = ::waitpid(-1, &status, WNOHANG);
    if (who == 0) break;
    if (who < 0) {
      gone_ = true;
      return;
    }
    if (known_.erase(who) == 1)
      codes_[who] = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    told_.erase(who);
  }
  // Whose parent has just ended is ours only now.
  if (ending()) remind(now);
}

std::optional<int> family::ended(pid_t who) const {
  const auto found = codes_.find(who);
  return found == codes_.end() ? std::nullopt : std::optional(found->second);
}

void family::end(time_point now) {
  if (ending()) return;
  deadline_ = now + grace;
  signal_children();
}

void family::remind(time_point now) {
  if (!killing_ && now >= *deadline_) {
    killing_ = true;
    told_.clear();
  }
  signal_children();
}

void family::signal_children() {
  std::set<pid_t> all = children();
  all.insert(known_.begin(), known_.end());
  for (const pid_t child : all)
    if (told_.insert(child).second) ::kill(child, killing_ ? SIGKILL : SIGTERM);
}

} // namespace gotunnel::wan
