#include "gotunnel/app/service_manager.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/net/deadline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

// The manager reads what it is told all the time.
constexpr std::chrono::milliseconds main_process_patience{2000};

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

/// 0 when it is no number.
std::uint64_t number_in(const char* name) {
  const std::string_view text = variable(name);
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? value : 0;
}

/// As systemd looks at its own clock (sd_notify(3), MONOTONIC_USEC).
long long monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

} // namespace

service_manager::service_manager() {
  if (const auto name = variable("NOTIFY_SOCKET"); !name.empty()) open(name);
  const bool ours =
      variable("WATCHDOG_PID").empty() || number_in("WATCHDOG_PID") == static_cast<std::uint64_t>(::getpid());
  if (listens() && ours) {
    // Half a century is enough, and fits.
    constexpr std::uint64_t most = 1ULL << 50;
    watchdog_ = std::chrono::microseconds(std::min(number_in("WATCHDOG_USEC"), most));
    ::unsetenv("WATCHDOG_PID");
  }
}

void service_manager::open(std::string_view name) {
  const auto give_up = [this, name](std::string_view why) {
    socket_ = {};
    trouble_ =
        fmt::format("NOTIFY_SOCKET \"{}\": {}; the service manager will not hear of this server", name, why);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.front() != '/' && name.front() != '@') return give_up("neither a path nor @NAME");
  if (name.size() >= sizeof address.sun_path) return give_up("longer than a socket's name may be");
  std::copy(name.begin(), name.end(), address.sun_path);
  if (name.front() == '@') address.sun_path[0] = '\0';
  // Without the zero at the end: it would be part of an abstract name.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  socket_ = net::descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_ || ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    give_up(std::strerror(errno));
}

void service_manager::tell(std::string_view lines) {
  if (!listens()) return;
  if (::send(socket_.get(), lines.data(), lines.size(), MSG_NOSIGNAL) < 0)
    log::debug("app", "the service manager was not told: {}", std::strerror(errno));
}

void service_manager::ready(std::string status) {
  status_ = std::move(status);
  reloaded();
}

void service_manager::reloading() {
  if (!stopping_)
    tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=reading certificates and secrets again\n",
                     monotonic_us()));
}

void service_manager::reloaded() {
  if (!stopping_) tell(fmt::format("READY=1\nSTATUS={}\n", status_));
}

void service_manager::stopping(std::string_view status) {
  stopping_ = true;
  tell(fmt::format("STOPPING=1\nSTATUS={}\n", status));
}

/// With a sign of life, which the next process can give only when this was heard. Unheard, the manager would
/// take the end of this process for that of the service: it is worth a wait.
void service_manager::main_process(pid_t process) {
  pollfd question{socket_.get(), POLLOUT, 0};
  if (listens()) ::poll(&question, 1, static_cast<int>(main_process_patience.count()));
  tell(fmt::format("MAINPID={}\n{}", process, watchdog_ > duration::zero() ? "WATCHDOG=1\n" : ""));
}

asio::awaitable<void> service_manager::keep_alive() {
  while (watchdog_ > duration::zero()) {
    tell("WATCHDOG=1\n");
    co_await net::sleep_for(watchdog_ / 2);
  }
}

} // namespace gotunnel::app
