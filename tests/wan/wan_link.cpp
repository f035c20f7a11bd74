#include "wan/wan_link.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <iostream>
#include <stdexcept>
#include <system_error>

namespace gotunnel::testing {
namespace {

constexpr std::chrono::seconds patience{20};

int network_of(const std::string& process) {
  const std::string path = "/proc/" + process + "/ns/net";
  const int network = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (network < 0) throw std::system_error(errno, std::generic_category(), path);
  return network;
}

exit_status run_to_end(child_process& child) {
  const auto ended = child.wait(patience);
  if (!ended) throw std::runtime_error("wan does not end; it says: " + child.captured(output::err));
  return *ended;
}

} // namespace

std::string wan_program() { return GOTUNNEL_WAN; }

bool lines_possible() {
  child_process child(wan_program(), {.arguments = {"--left", "true", "--right", "true"}});
  const bool allowed = run_to_end(child).code != 77;
  if (allowed && ::geteuid() == 0) return true;
  std::cout << "SKIPPED: "
            << (allowed ? "the tests enter networks, which takes root" : child.captured(output::err))
            << std::endl;
  return false;
}

wan_link::wan_link(const std::vector<std::string>& options) {
  const auto end = [](const std::string& name) { return "echo " + name + " $$; exec sleep infinity"; };
  std::vector<std::string> words = options;
  words.insert(words.end(),
               {"--control", room_.file("control"), "--left", end("left"), "--right", end("right")});
  child_ = std::make_unique<child_process>(wan_program(), child_options{.arguments = words});
  // They start in any order.
  while (left_ < 0 || right_ < 0) {
    const auto line = child_->read_line(output::out, patience);
    if (!line) throw std::runtime_error("no line from wan: " + child_->captured(output::err));
    pid_t& who = line->starts_with("left ") ? left_ : right_;
    const std::size_t number = line->find(' ') + 1;
    std::from_chars(line->data() + number, line->data() + line->size(), who);
  }
}

std::string wan_link::tell(const std::string& line) const {
  child_process child(wan_program(), {.arguments = {"tell", room_.file("control"), line}});
  run_to_end(child);
  return child.captured(output::out);
}

inside::inside(pid_t process) : before_(network_of("thread-self")) {
  const int network = network_of(std::to_string(process));
  const int entered = ::setns(network, CLONE_NEWNET);
  const int error = errno;
  ::close(network);
  if (entered != 0) throw std::system_error(error, std::generic_category(), "setns");
}

inside::~inside() {
  // What follows in a wrong network would pass or fail by accident.
  if (::setns(before_, CLONE_NEWNET) != 0) std::terminate();
  ::close(before_);
}

} // namespace gotunnel::testing
