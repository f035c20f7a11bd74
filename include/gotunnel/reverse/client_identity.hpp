// Who a client is to a server: a durable random id, so that a client that comes back takes its port over.
//
// One id per server and port, in one file of the state directory, locked while the process runs: clients on
// one machine do not disturb each other. With remote port 0 the first file that no live process has locked is
// taken. A directory that cannot be written means an id for this run only (`durable` false, `why_not` says
// why). Others may write to the directory (a volume that a group shares): a link, or a file of another user,
// is not taken for ours.
#pragma once

#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/wire/address.hpp"
#include "gotunnel/wire/psk_auth.hpp"

#include <filesystem>
#include <string>

namespace gotunnel::reverse {

class client_identity {
public:
  [[nodiscard]] static client_identity claim(const std::filesystem::path& state_directory,
                                             const wire::host_port& server, std::uint16_t remote_port);
  wire::peer_id client{};
  bool durable = false;
  std::string why_not;

private:
  client_identity() = default;

  net::descriptor lock_; ///< the id's file, held open and locked
};

/// $XDG_STATE_HOME/gotunnel, ~/.local/state/gotunnel, or /var/lib/gotunnel without a home; never empty.
[[nodiscard]] std::filesystem::path default_state_directory();

} // namespace gotunnel::reverse
