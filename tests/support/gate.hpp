// What tests of admission share: keys that were stretched once, and peers that offer or choose no ALPN as the
// original program does.
#pragma once

#include "gotunnel/link/acceptor.hpp"

#include "support/tls_contexts.hpp"

#include <openssl/ssl.h>

namespace gotunnel::testing {

inline const link::shared_keys& right_keys() {
  static const link::shared_keys keys = link::make_gate_keys({secret_text("open sesame")}, true);
  return keys;
}
inline const link::shared_keys& wrong_keys() {
  static const link::shared_keys keys = link::make_gate_keys({secret_text("open barley")}, true);
  return keys;
}
inline link::shared_keys native_only(const link::shared_keys& keys) {
  link::gate_keys made = *keys;
  made.seed_peers = false;
  return std::make_shared<link::gate_keys>(std::move(made));
}

/// Contexts whose client offers no ALPN.
inline const tls_contexts& seed_client_contexts() {
  static const tls_contexts made = [] {
    tls_contexts contexts;
    SSL_CTX_set_alpn_protos(contexts.client->native(), nullptr, 0);
    return contexts;
  }();
  return made;
}
/// Contexts whose server chooses no ALPN.
inline const tls_contexts& seed_server_contexts() {
  static const tls_contexts made = [] {
    tls_contexts contexts;
    SSL_CTX_set_alpn_select_cb(contexts.server->native(), nullptr, nullptr);
    return contexts;
  }();
  return made;
}

/// Judges as an acceptor's judge does that has never seen a stranger before.
inline net::task<bool> judge_at_once(const std::optional<wire::peer_id>& /*claimed*/,
                                     const link::acceptor::look_function& look) {
  co_return look();
}

} // namespace gotunnel::testing
