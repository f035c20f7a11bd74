#include "gotunnel/app/sandbox.hpp"

#include "gotunnel/app/name_files.hpp"
#include "gotunnel/app/system_call_filter.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/net/descriptor.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

// Sanitizers look into the process from outside (ptrace, /proc) when it ends.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool observed = true;
#else
constexpr bool observed = false;
#endif

using rights = std::uint64_t;

constexpr rights reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr rights changing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                            LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                            LANDLOCK_ACCESS_FS_REFER;
// Links, too: a later start, perhaps of root, would follow them.
constexpr rights special = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                           LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                           LANDLOCK_ACCESS_FS_MAKE_SYM;
// Before version 2 no file may move to another directory, which is how certificates change
// (link/cert_journal).
constexpr int least_version = 2;
// Headers of Debian 12 do not know what follows yet (include/uapi/linux/landlock.h of Linux 6.12).
constexpr rights truncating = 1U << 14; // LANDLOCK_ACCESS_FS_TRUNCATE
constexpr int truncating_since = 3;
constexpr rights device_requests = 1U << 15; // LANDLOCK_ACCESS_FS_IOCTL_DEV, of devices that are opened later
constexpr int device_requests_since = 5;
// Abstract Unix sockets and processes that are not in this sandbox.
constexpr std::uint64_t out_of_scope = 1U << 0 | 1U << 1; // LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, _SIGNAL
constexpr int scopes_since = 6;
struct ruleset_attributes {
  rights handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};
constexpr rights of_a_file =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | truncating;

// Directories and not single files: resolv.conf and its like are replaced, and a rule holds for the file that
// was there. The libraries are those of name services, which the C library loads when it needs them; some
// systems keep all of theirs in a store.
constexpr const char* readable[] = {"/etc",
                                    "/lib",
                                    "/lib64",
                                    "/usr",
                                    "/nix/store",
                                    "/gnu/store",
                                    "/run/systemd/resolve",
                                    "/run/NetworkManager",
                                    "/run/resolvconf",
                                    "/run/nscd",
                                    "/sys/devices/system/cpu",
                                    "/dev/urandom",
                                    "/dev/null"};

class ruleset {
public:
  /// Nothing when the kernel has no Landlock, or one that is too old.
  [[nodiscard]] static std::optional<ruleset> make() {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < least_version) return std::nullopt;
    ruleset made;
    made.version = static_cast<int>(version);
    const auto since = [version](int first, rights what) { return version >= first ? what : 0; };
    made.handled_ = reading | changing | special | since(truncating_since, truncating) |
                    since(device_requests_since, device_requests);
    // An older kernel takes the longer structure, as long as what it does not know is 0.
    const ruleset_attributes attributes{made.handled_, 0, since(scopes_since, out_of_scope)};
    made.rules_ = net::descriptor(
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
    if (!made.rules_) return std::nullopt;
    return made;
  }

  /// What does not exist needs no rule.
  void allow(const std::filesystem::path& below, rights wanted) const {
    const net::descriptor place(::open(below.c_str(), O_PATH | O_CLOEXEC));
    if (!place) return;
    struct ::stat status {};
    ::fstat(place.get(), &status);
    wanted &= handled_ & (S_ISDIR(status.st_mode) ? ~rights{0} : of_a_file);
    const landlock_path_beneath_attr rule{wanted, place.get()};
    ::syscall(SYS_landlock_add_rule, rules_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  }
  [[nodiscard]] bool enforce() const { return ::syscall(SYS_landlock_restrict_self, rules_.get(), 0) == 0; }

  int version = 0;

private:
  ruleset() = default;

  rights handled_ = 0;
  net::descriptor rules_;
};

/// What was done, or nothing.
std::string restrict_files(const sandbox_rules& rules) {
  const auto made = ruleset::make();
  if (!made) return {};
  for (const char* path : readable) made->allow(path, reading);
  made->allow("/dev/null", reading | LANDLOCK_ACCESS_FS_WRITE_FILE);
  auto again = places_of_name_services();
  if (!rules.read_again.empty())
    for (auto& place : places_of(rules.read_again)) again.push_back(std::move(place));
  for (const auto& place : again) made->allow(place, LANDLOCK_ACCESS_FS_READ_FILE);
  for (const auto& path : rules.writable) made->allow(path, reading | changing | truncating);
  return made->enforce() ? fmt::format("Landlock {}", made->version) : "";
}

} // namespace

std::optional<sandbox_mode> parse_sandbox_mode(std::string_view text) noexcept {
  if (text == "on") return sandbox_mode::on;
  if (text == "off") return sandbox_mode::off;
  if (text == "auto") return sandbox_mode::automatic;
  return std::nullopt;
}

std::string enter_sandbox(sandbox_mode mode, const sandbox_rules& rules) {
  if (mode == sandbox_mode::off) return "no sandbox: -sandbox off";
  if (mode == sandbox_mode::automatic && observed) return "no sandbox: built with a sanitizer";
  const bool settled = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  const std::string files = settled ? restrict_files(rules) : "";
  const bool calls = settled && restrict_system_calls();
  if (mode == sandbox_mode::on && (files.empty() || !calls))
    throw usage_error(
        fmt::format("-sandbox \"on\": this kernel has no {}; give -sandbox auto to go without it",
                    files.empty() ? "Landlock" : "seccomp"));
  return fmt::format("sandbox: {}, {}", files.empty() ? "no Landlock" : files,
                     calls ? "seccomp" : "no seccomp");
}

} // namespace gotunnel::app
