#include "gotunnel/app/starter.hpp"

#include "gotunnel/app/console.hpp"
#include "gotunnel/app/privileges.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/output.hpp"
#include "gotunnel/net/last_error.hpp"

#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

constexpr const char* variable = "GOTUNNEL_HANDOVER_SOCKET";
// The first after standard input, output and error.
constexpr int first_free = 3;
// A new program is asked for when it is asked for.
constexpr duration patience = 24h;
constexpr duration asking = 1s;

/// Where the program is that was called by this name, as a shell finds it; symbolic links are followed anew
/// at each start.
std::filesystem::path find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return std::filesystem::absolute(name);
  const char* const path = std::getenv("PATH");
  std::istringstream places(path != nullptr ? path : "");
  for (std::string place; std::getline(places, place, ':');) {
    const auto candidate =
        std::filesystem::absolute(std::filesystem::path(place.empty() ? "." : place) / name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "/proc/self/exe";
}

/// Keeps descriptor `kept` as the first free one, and no other beside the standard ones.
bool keep_only(int kept) {
  if (kept != first_free && ::dup2(kept, first_free) < 0) return false;
  ::close_range(first_free + 1, ~0U, 0);
  return true;
}

/// What a new process of this program looks like to itself, whatever this one has made of it.
void forget_signals() {
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGCHLD, SIGPIPE}) std::signal(each, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become_next(const std::filesystem::path& program, const arguments& words, int end) {
  forget_signals();
  std::vector<std::string> kept{program.string()};
  kept.insert(kept.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& each : kept) argv.push_back(each.data());
  argv.push_back(nullptr);
  keep_low_ports();
  // dup2() leaves the mark off that would close it.
  if (keep_only(end) && ::fcntl(first_free, F_SETFD, 0) == 0 &&
      ::setenv(variable, std::to_string(first_free).c_str(), 1) == 0)
    ::execv(program.c_str(), argv.data());
  complain(fmt::format("cannot start {}: {}", program.string(), std::strerror(errno)));
  output::of_process().flush(output::farewell);
  std::_Exit(127);
}

[[noreturn]] void serve(int orders, const std::filesystem::path& program, const arguments& words) {
  ::prctl(PR_SET_NAME, "gotunnel-start");
  // Ctrl-C goes to all processes of a terminal: this one ends with its server, which takes its time.
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGUSR2, SIGCHLD}) std::signal(each, SIG_IGN);
  if (!keep_only(orders)) std::_Exit(1);
  net::parcel_socket asked{net::descriptor(first_free)};
  for (;;) {
    auto order = asked.receive(patience);
    if (!order && order.error() == errc::timed_out) continue;
    if (!order) std::_Exit(0);
    if (order->attached && ::fork() == 0) become_next(program, words, order->attached.get());
  }
}

} // namespace

starter starter::begin(const arguments& words) {
  auto ends = net::parcel_socket::pair();
  if (!ends) throw boost::system::system_error(ends.error());
  const auto program = find_program(program_invocation_name);
  const pid_t child = ::fork();
  if (child < 0) throw boost::system::system_error(net::last_error());
  if (child == 0) serve(ends->second.handle(), program, words);
  return starter(std::move(ends->first));
}

result<> starter::start(net::descriptor end) { return orders_.send({}, asking, end.get()); }

std::optional<net::parcel_socket> former_process() {
  const char* const named = std::getenv(variable);
  if (named == nullptr) return std::nullopt;
  const int number = std::atoi(named);
  ::unsetenv(variable);
  int kind = 0;
  socklen_t size = sizeof kind;
  if (number < first_free || ::getsockopt(number, SOL_SOCKET, SO_DOMAIN, &kind, &size) != 0 ||
      kind != AF_UNIX)
    throw usage_error(
        fmt::format("{} is set, and is no socket of a server that is being upgraded; unset it", variable));
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  return net::parcel_socket(net::descriptor(number));
}

} // namespace gotunnel::app
