// How the multiplexer is set for a peer that has proved the secret, or accepted ours.
#pragma once

#include "gotunnel/wire/psk_auth.hpp"
#include "gotunnel/wire/seed_greeting.hpp"
#include "gotunnel/wire/smux_core.hpp"

namespace gotunnel::reverse {

/// `Peer`: link::admitted or link::reached.
template <class Peer>
[[nodiscard]] wire::smux_config mux_config(wire::smux_role role, const Peer& peer) {
  wire::smux_config config;
  config.role = role;
  config.resets = has(peer.capabilities, wire::capability::stream_reset);
  if (peer.native)
    config.max_frame = wire::native_max_frame;
  else
    config.keepalive_timeout = wire::seed_silence_limit;
  return config;
}

} // namespace gotunnel::reverse
