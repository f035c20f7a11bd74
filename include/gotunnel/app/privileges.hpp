// From root to a user of less power (`-user`), for good.
//
//   become_user("gotunnel", {.own = certs, .low_ports = true});
//
// After the ports that need root are open, before threads are started. Groups, group and user change, all
// capabilities go but the one for ports below 1024 where those may still have to be opened, and it is tried
// whether root can be had back. Throws usage_error: no such user, not started as root (unless it is that user
// already), a directory that the user cannot write.
#pragma once

#include <filesystem>
#include <string>

namespace gotunnel::app {

struct new_user_needs {
  std::filesystem::path own; ///< a directory: made for the user where it is missing
  bool low_ports = false;    ///< CAP_NET_BIND_SERVICE is kept
};

void become_user(const std::string& name, const new_user_needs& needs);
/// What become_user() kept for ports below 1024 is kept by the program that this process becomes, too.
void keep_low_ports() noexcept;

} // namespace gotunnel::app
