#include "gotunnel/reverse/client_identity.hpp"

#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/net/directory.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gotunnel::reverse {
namespace {

// Clients with remote port 0 to one server on one machine; a limit only so that the search ends.
constexpr int slots = 256;

/// A file name that people recognize and no server name can escape from.
std::string file_stem(const wire::host_port& server, std::uint16_t remote_port) {
  std::string stem;
  for (const char c : server.host.substr(0, 128))
    stem.push_back(std::isalnum(static_cast<unsigned char>(c)) || c == '.' ? c : '-');
  // Names that differ only in what was replaced must not share an id.
  const auto digest = crypto::sha256(as_bytes(wire::to_string(server)));
  return fmt::format("{}-{}-{}-{}", stem, server.port, remote_port, to_hex(bytes_view(digest).first(4)));
}

std::string problem(std::string_view doing, const std::filesystem::path& path) {
  return fmt::format("{} {}: {}", doing, path.string(), std::strerror(errno));
}

/// False for a file that another user has put there: it would choose our id.
bool is_ours(int file, const net::directory& directory, std::string& why_not,
             const std::filesystem::path& path) {
  struct ::stat status {};
  if (::fstat(file, &status) != 0) return why_not = problem("cannot examine", path), false;
  const uid_t self = ::geteuid();
  if (status.st_uid == self || status.st_uid == 0 || (self == 0 && status.st_uid == directory.owner()))
    return true;
  return why_not = fmt::format("{} belongs to user {}, who may not choose this client's id; remove it",
                               path.string(), status.st_uid),
         false;
}

/// Reads the id, or writes a new one into an empty file. Anything else in the file is kept and is an error.
bool read_or_make(int file, wire::peer_id& id, std::string& why_not, const std::filesystem::path& path) {
  char text[2 * sizeof(wire::peer_id) + 2];
  const ssize_t size = ::pread(file, text, sizeof text, 0);
  if (size < 0) return why_not = problem("cannot read", path), false;
  if (size > 0) {
    std::string_view line(text, static_cast<std::size_t>(size));
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (from_hex(line, id)) return true;
    return why_not = fmt::format("{} holds no client id; remove it to get a new one", path.string()), false;
  }
  crypto::random_bytes(id);
  const std::string line = to_hex(id) + "\n";
  if (::pwrite(file, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()) ||
      ::fsync(file) != 0) {
    why_not = problem("cannot write", path);
    [[maybe_unused]] const int emptied = ::ftruncate(file, 0);
    return false;
  }
  return true;
}

} // namespace

client_identity client_identity::claim(const std::filesystem::path& state_directory,
                                       const wire::host_port& server, std::uint16_t remote_port) {
  client_identity self;
  std::error_code ec;
  std::filesystem::create_directories(state_directory, ec);
  if (ec) self.why_not = fmt::format("cannot create {}: {}", state_directory.string(), ec.message());
  const auto directory = net::directory::open(state_directory);
  if (!directory && !ec)
    self.why_not = fmt::format("cannot open {}: {}", state_directory.string(), directory.error().message());

  const std::string stem = file_stem(server, remote_port);
  for (int slot = 0; directory && slot < (remote_port == 0 ? slots : 1); ++slot) {
    const std::string name = slot == 0 ? stem + ".id" : fmt::format("{}.{}.id", stem, slot);
    const auto path = state_directory / name;
    auto file = directory->open_or_make_file(name);
    if (!file) {
      self.why_not = fmt::format("cannot open {}: {}", path.string(), file.error().message());
      break;
    }
    if (!is_ours(file->get(), *directory, self.why_not, path)) break;
    const bool locked = ::flock(file->get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && remote_port == 0) continue;
    // A live process holds the id of this very port: use the same one, and the server will say so.
    if (read_or_make(file->get(), self.client, self.why_not, path)) {
      self.durable = true;
      self.lock_ = std::move(*file);
      return self;
    }
    break;
  }
  crypto::random_bytes(self.client);
  return self;
}

std::filesystem::path default_state_directory() {
  const auto from_environment = [](const char* name) -> std::filesystem::path {
    const char* value = std::getenv(name);
    return value != nullptr && *value == '/' ? value : "";
  };
  if (const auto state = from_environment("XDG_STATE_HOME"); !state.empty()) return state / "gotunnel";
  if (const auto home = from_environment("HOME"); !home.empty())
    return home / ".local" / "state" / "gotunnel";
  return "/var/lib/gotunnel";
}

} // namespace gotunnel::reverse
