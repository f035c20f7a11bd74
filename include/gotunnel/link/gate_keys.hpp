// The secrets that open a server, in the forms that the two protocols need.
//
//   shared_keys keys = make_gate_keys({secret}, seed_peers);                // 40 ms a secret
//   shared_keys next = make_gate_keys({newer, secret}, seed_peers, *keys);   // only what is new takes time
//
// A server accepts each of them; what it proves itself, it proves with the one that the client has proved. A
// client has one, and uses the first. Immutable, and shared by whoever needs them for a moment: a handshake
// keeps the keys that it began with, whatever others are given meanwhile. Wiped when nobody needs them any
// more.
#pragma once

#include "gotunnel/base/secret.hpp"

#include <memory>
#include <vector>

namespace gotunnel::link {

/// During a rotation a server has the old one and the new one, and some change their minds.
inline constexpr std::size_t gate_keys_limit = 4;

struct gate_key {
  secret_text secret;
  secret_key<32> stretched;
};

struct gate_keys {
  std::vector<gate_key> all; ///< one at least
  bool seed_peers = true;

  [[nodiscard]] const gate_key& first() const noexcept { return all.front(); }
};

using shared_keys = std::shared_ptr<const gate_keys>;

/// What `known` has already is not stretched again: that is slow on purpose.
[[nodiscard]] shared_keys make_gate_keys(const std::vector<secret_text>& secrets, bool seed_peers,
                                         const gate_keys& known = {});

} // namespace gotunnel::link
