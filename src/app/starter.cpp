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
static_assert(first_free < handed_secrets);
// Upgrades may be months apart.
constexpr duration patience = 24h;
constexpr duration asking = 1s;

// What the server says to the starter; descriptors go with the last two.
constexpr std::string_view follow_order = "follow", secrets_order = "secrets", start_order = "start";

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

/// Keeps these as the first free ones, and no other beside the standard ones.
bool keep_only(std::initializer_list<int> kept) {
  // Above all places first: one of them may be in the place of another.
  const int above = first_free + static_cast<int>(kept.size());
  std::vector<int> lifted;
  for (const int each : kept) lifted.push_back(::fcntl(each, F_DUPFD, above));
  int place = first_free;
  for (const int each : lifted)
    if (each < 0 || ::dup2(each, place++) < 0) return false;
  ::close_range(static_cast<unsigned>(above), ~0U, 0);
  return true;
}

/// The others it settles itself (app/surroundings).
void forget_signals() {
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) std::signal(each, SIG_DFL);
}

struct next_process {
  std::filesystem::path program;
  arguments words;
};

[[noreturn]] void become_next(const next_process& next, int end, int secrets) {
  forget_signals();
  std::vector<std::string> kept{next.program.string()};
  const arguments words = secrets < 0 ? next.words : naming_handed_secrets(next.words);
  kept.insert(kept.end(), words.begin(), words.end());
  std::vector<char*> argv;
  for (std::string& each : kept) argv.push_back(each.data());
  argv.push_back(nullptr);
  keep_low_ports();
  // What dup2() makes stays open in the next program.
  const bool kept_open = secrets < 0 ? keep_only({end}) : keep_only({end, secrets});
  if (kept_open && ::setenv(variable, std::to_string(first_free).c_str(), 1) == 0)
    ::execv(next.program.c_str(), argv.data());
  complain(fmt::format("cannot start {}: {}", next.program.string(), std::strerror(errno)));
  output::of_process().flush(output::farewell);
  std::_Exit(127);
}

void obey(net::parcel_socket asked, const next_process& next, const std::function<void()>& give_up) {
  net::descriptor secrets;
  for (;;) {
    auto order = asked.receive(patience);
    if (!order && order.error() == errc::timed_out) continue;
    if (!order) return;
    const std::string_view text = as_text(order->bytes);
    if (text == follow_order && give_up) give_up();
    if (text == secrets_order) secrets = std::move(order->attached);
    if (text != start_order) continue;
    if (order->attached && ::fork() == 0) become_next(next, order->attached.get(), secrets.get());
    secrets = {};
  }
}

[[noreturn]] void serve(net::parcel_socket orders, const starter_plan& plan) {
  ::prctl(PR_SET_NAME, "gotunnel-start");
  // Ctrl-C goes to all processes of a terminal: this one ends with its server, which takes its time.
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) std::signal(each, SIG_IGN);
  try {
    const next_process next{find_program(program_invocation_name), plan.words};
    if (!keep_only({orders.handle()})) std::_Exit(1);
    static_cast<void>(orders.release().release()); // closed with all others
    if (plan.bounded) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    obey(net::parcel_socket{net::descriptor(first_free)}, next, plan.give_up);
  } catch (const std::exception&) {
    std::_Exit(1); // the server has said what is wrong, or says at an upgrade that this process is gone
  }
  std::_Exit(0);
}

} // namespace

starter starter::begin(const starter_plan& plan, typed_secrets& typed) {
  auto ends = net::parcel_socket::pair();
  if (!ends) throw boost::system::system_error(ends.error());
  const pid_t child = ::fork();
  if (child < 0) throw boost::system::system_error(net::last_error());
  if (child == 0) {
    typed = {};
    serve(std::move(ends->second), plan);
  }
  return starter(std::move(ends->first));
}

result<> starter::follow() { return orders_.send(as_bytes(follow_order), asking); }

result<> starter::start(net::descriptor end, net::descriptor secrets) {
  if (secrets)
    if (const auto sent = orders_.send(as_bytes(secrets_order), asking, secrets.get()); !sent) return sent;
  return orders_.send(as_bytes(start_order), asking, end.get());
}

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
