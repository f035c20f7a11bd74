#include "gotunnel/app/passed_socket.hpp"

#include "gotunnel/app/usage_error.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

constexpr int first_passed = 3; // SD_LISTEN_FDS_START

std::optional<long> number(const std::string& text) {
  long value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

} // namespace

net::descriptor take_passed_socket() {
  const char* const meant_for = std::getenv("LISTEN_PID");
  const char* const how_many = std::getenv("LISTEN_FDS");
  if (meant_for == nullptr || how_many == nullptr || number(meant_for) != static_cast<long>(::getpid()))
    return {};
  const std::string given = how_many;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  const auto count = number(given);
  if (count == 0) return {};
  if (count != 1)
    throw usage_error(
        fmt::format("LISTEN_FDS \"{}\": a server takes one socket, its tunnel door; give the socket "
                    "unit one ListenStream=",
                    given));
  if (::fcntl(first_passed, F_SETFD, FD_CLOEXEC) != 0)
    throw usage_error("LISTEN_FDS \"1\": there is no descriptor 3; start this by a socket unit, or without "
                      "LISTEN_FDS");
  return net::descriptor(first_passed);
}

} // namespace gotunnel::app
