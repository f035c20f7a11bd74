// What TLS connections have in common: certificates, trust, versions, ALPN. Made once, shared by many
// connections.
//
// A server's context is immutable; a renewed certificate makes a new context, and connections in progress
// keep the old one. Contexts may be used from several threads at once. Errors: errc::bad_certificate.
#pragma once

#include "gotunnel/base/error.hpp"
#include "gotunnel/crypto/pki.hpp"

#include <memory>
#include <optional>
#include <string>

struct ssl_ctx_st;

namespace gotunnel::crypto {

/// ALPN name of the native protocol.
inline constexpr std::string_view native_alpn = "gotunnel/1";

struct tls_server_options {
  credential server; ///< the leaf and its key
  /// PEM of the CA: sent after the leaf, so that a client with only a pin can build the chain.
  std::string authority;
  /// Also accept TLS 1.2 and connections without ALPN, as the original client makes them.
  bool seed_peers = true;
};

struct tls_client_options {
  std::string authority;  ///< PEM of the trusted CA (may hold several); empty when `pin` is set
  std::string pin;        ///< normalized pin of the CA or of the leaf; empty when `authority` is set
  bool seed_peers = true; ///< also accept TLS 1.2 and a server that chooses no ALPN
};

/// Shared handle of an SSL_CTX.
class tls_context {
public:
  /// ALPN: `gotunnel/1` is chosen when offered (TLS 1.3 only); an offer without it ends the handshake
  /// (no_application_protocol); no offer at all is a seed peer, and ends the handshake when those are off.
  [[nodiscard]] static result<tls_context> server(const tls_server_options& options);
  /// Trusts exactly the CA or pin given, checks the DNS SAN `gotunnel.internal`, sends that name as SNI,
  /// offers `gotunnel/1`.
  [[nodiscard]] static result<tls_context> client(const tls_client_options& options);

  [[nodiscard]] ssl_ctx_st* native() const noexcept { return context_.get(); }
  [[nodiscard]] bool is_server() const noexcept { return server_; }
  [[nodiscard]] bool seed_peers() const noexcept { return seed_peers_; }

private:
  tls_context(std::shared_ptr<ssl_ctx_st> context, bool server, bool seed_peers)
      : context_(std::move(context)), server_(server), seed_peers_(seed_peers) {}

  std::shared_ptr<ssl_ctx_st> context_;
  bool server_;
  bool seed_peers_;
};

} // namespace gotunnel::crypto
