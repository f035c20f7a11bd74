#include "gotunnel/app/privileges.hpp"

#include "gotunnel/app/surroundings.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/net/directory.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace gotunnel::app {
namespace {

usage_error wrong(const std::string& name, std::string_view why) {
  return usage_error(fmt::format("-user \"{}\": {}", name, why));
}

void require(bool done, const std::string& name, std::string_view what) {
  if (!done) throw wrong(name, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

using capability_sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;
constexpr std::uint32_t low_port = 1U << CAP_NET_BIND_SERVICE;

bool set_capabilities(capability_sets sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, sets.data()) == 0;
}

/// Keeps CAP_NET_BIND_SERVICE or nothing.
bool set_capabilities(bool low_ports) {
  capability_sets sets{};
  if (low_ports) sets[0].effective = sets[0].permitted = low_port;
  return set_capabilities(sets);
}

} // namespace

void become_user(const std::string& name, const new_user_needs& needs) {
  errno = 0;
  const passwd* const entry = ::getpwnam(name.c_str());
  if (entry == nullptr)
    throw wrong(name, "there is no such user; make one with `useradd --system`, or leave it out");
  const uid_t user = entry->pw_uid;
  const gid_t group = entry->pw_gid;
  if (user == 0) throw wrong(name, "that is root again; name a user without its power");
  if (::geteuid() != 0) {
    if (::geteuid() == user) return;
    throw wrong(name, "only root can become another user; start the server as root, or leave it out");
  }

  // The one that was made, and not what its name leads to by now.
  if (const auto own = net::directory::open_or_make(needs.own, 0700); own && own->made)
    require(::fchown(own->place.handle(), user, group) == 0, name, "give it its directory");
  require(::prctl(PR_SET_KEEPCAPS, needs.low_ports ? 1 : 0, 0, 0, 0) == 0, name, "set its capabilities");
  require(::setgroups(0, nullptr) == 0, name, "leave the groups of root");
  require(::setresgid(group, group, group) == 0, name, "take its group");
  require(::setresuid(user, user, user) == 0, name, "become it");
  require(set_capabilities(needs.low_ports), name, "set its capabilities");
  ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  forbid_inspection();
  if (::setresuid(0, 0, 0) == 0 || ::setresgid(0, 0, 0) == 0 || ::setgroups(0, nullptr) == 0)
    throw wrong(name, "root could be had back; the server does not go on like that");
  if (::access(needs.own.c_str(), R_OK | W_OK | X_OK) != 0)
    throw wrong(name, fmt::format("it cannot write to {}: {}; `chown -R {} {}`, and let it reach that place",
                                  needs.own.string(), std::strerror(errno), name, needs.own.string()));
}

void keep_low_ports() noexcept {
  if (::geteuid() == 0) return; // keeps everything as it is
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  capability_sets sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0 || (sets[0].permitted & low_port) == 0) return;
  sets[0].inheritable |= low_port;
  if (set_capabilities(sets)) ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0);
}

} // namespace gotunnel::app
