#include "gotunnel/reverse/server_memory.hpp"

#include "gotunnel/net/descriptor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace gotunnel::reverse {
namespace {

constexpr std::string_view sentence =
    "The server of this CA has spoken the native protocol. Clients with this state directory do not send it\n"
    "the secret in the original protocol any more, unless they are started with -seed-peers on.\n";

} // namespace

server_memory::server_memory(const std::filesystem::path& state_directory, std::string_view pin) {
  std::string name(pin);
  std::replace(name.begin(), name.end(), ':', '-');
  file_ = state_directory / (name + ".native");
}

bool server_memory::native() const {
  // A symbolic link that leads nowhere counts, too, and so does what cannot be looked at: in doubt the secret
  // is not sent.
  std::error_code ec;
  return std::filesystem::symlink_status(file_, ec).type() != std::filesystem::file_type::not_found;
}

std::string server_memory::remember_native() const {
  // No wait for the disk: after a loss of power the next run remembers it anew.
  const net::descriptor file(
      ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0)
    return errno == EEXIST ? "" : fmt::format("cannot create {}: {}", file_.string(), std::strerror(errno));
  // That it exists is enough.
  [[maybe_unused]] const ssize_t written = ::write(file.get(), sentence.data(), sentence.size());
  return {};
}

} // namespace gotunnel::reverse
