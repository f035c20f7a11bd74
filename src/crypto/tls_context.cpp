#include "gotunnel/crypto/tls_context.hpp"

#include "gotunnel/crypto/ossl.hpp"
#include "gotunnel/crypto/tls_keylog.hpp"

#include <openssl/tls1.h>

namespace gotunnel::crypto {
namespace {

using namespace ossl;

/// RFC 7301 3.1: each name behind its length, in one octet. Ours is the only name there is.
constexpr std::array<unsigned char, 11> alpn_list = {10, 'g', 'o', 't', 'u', 'n', 'n', 'e', 'l', '/', '1'};
static_assert(alpn_list.size() == native_alpn.size() + 1);

/// Ciphers with hardware support first; a client without it that puts ChaCha20 on top gets it
/// (PRIORITIZE_CHACHA).
constexpr const char* suites = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
/// TLS 1.2 serves seed peers only: forward secrecy and AEAD, or nothing. RSA for those who brought their own
/// certificates.
constexpr const char* old_suites = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                   "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
                                   "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

/// A certificate chain above this is no chain of ours. Bytes.
constexpr long chain_limit = 32 * 1024;

bool set_common(SSL_CTX* context, bool seed_peers) {
  // We never resume: a session that broke proves its secret anew, and tickets would cost a write on every
  // connection.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // The system's openssl.cnf may have set it; a truncated connection must stay distinguishable from an ended
  // one.
  SSL_CTX_clear_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, nullptr);
  // Idle connections give their record buffers back: 16 KiB each way, times ten thousand.
  SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, nullptr);
  SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_CERT_LIST, chain_limit, nullptr);
  offer_secrets(context);
  std::string groups = "X25519:P-256";
  return SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, seed_peers ? TLS1_2_VERSION : TLS1_3_VERSION,
                      nullptr) == 1 &&
         SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_3_VERSION, nullptr) == 1 &&
         SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, groups.data()) == 1 &&
         SSL_CTX_set_ciphersuites(context, suites) == 1 && SSL_CTX_set_cipher_list(context, old_suites) == 1;
}

bool names_native(const unsigned char* offered, unsigned size) {
  const auto* const end = offered + size;
  while (offered < end) {
    const std::size_t length = *offered++;
    if (length > static_cast<std::size_t>(end - offered)) return false;
    if (as_text(std::as_bytes(std::span{offered, length})) == native_alpn) return true;
    offered += length;
  }
  return false;
}

/// Called only when the client offers some ALPN: gotunnel/1 over TLS 1.3 or nothing. The native protocol is
/// bound to the exporter of TLS 1.3, so a client that names it over TLS 1.2 is being tampered with, or is
/// none.
int choose_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                const unsigned char* offered, unsigned offered_size, void* /*user*/) {
  if (!names_native(offered, offered_size) || SSL_version(ssl) != TLS1_3_VERSION)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = alpn_list.data() + 1;
  *chosen_size = static_cast<unsigned char>(native_alpn.size());
  return SSL_TLSEXT_ERR_OK;
}

/// Installed when seed peers are off: without any ALPN nobody is a peer.
int require_alpn(SSL* ssl, int* alert, void* /*user*/) {
  const unsigned char* extension = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &extension, &size) ==
      1) {
    return SSL_CLIENT_HELLO_SUCCESS;
  }
  *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
  return SSL_CLIENT_HELLO_ERROR;
}

using pin_digest = std::array<std::byte, 32>;

struct free_stack { // sk_X509_free() is a macro
  void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_free(stack); }
};
using stack_ptr = std::unique_ptr<STACK_OF(X509), free_stack>;

/// The certificate of the presented chain that has the pinned key, or null.
X509* find_pinned(const STACK_OF(X509) * chain, const pin_digest& pin) {
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* const one = sk_X509_value(chain, i);
    pin_digest digest{};
    if (hash_public_key(one, digest) && equal_in_constant_time(digest, pin)) return one;
  }
  return nullptr;
}

/// Verifies with the pinned certificate, wherever in the chain it is, as the only trust anchor. Times,
/// purpose and the name are checked as usual: a pin says who signs, not that everything is signed.
int verify_pinned(X509_STORE_CTX* verification, void* user) {
  const auto& pin = *static_cast<const pin_digest*>(user);
  X509* const leaf = X509_STORE_CTX_get0_cert(verification);
  X509* const anchor = find_pinned(X509_STORE_CTX_get0_untrusted(verification), pin);
  const stack_ptr trusted{sk_X509_new_null()};
  if (anchor == nullptr || !trusted || sk_X509_push(trusted.get(), anchor) <= 0) {
    X509_STORE_CTX_set_error(verification, X509_V_ERR_CERT_UNTRUSTED);
    return 0;
  }
  X509_STORE_CTX_set0_trusted_stack(verification, trusted.get());
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(verification), X509_V_FLAG_PARTIAL_CHAIN);
  // A pinned leaf stands for itself: what was sent behind it must not make it better or worse.
  if (anchor == leaf) X509_STORE_CTX_set0_untrusted(verification, nullptr);
  const int verified = X509_verify_cert(verification);
  // `trusted` ends here, and OpenSSL asks the context for its result after us.
  X509_STORE_CTX_set0_trusted_stack(verification, nullptr);
  return verified;
}

bool set_trust(SSL_CTX* context, const std::string& authority) {
  const auto certificates = parse_certificates(authority);
  X509_STORE* const store =
      SSL_CTX_get_cert_store(context); // new and empty: the system's roots are never loaded
  for (const x509_ptr& one : certificates) {
    if (X509_STORE_add_cert(store, one.get()) != 1) return false;
  }
  return !certificates.empty();
}

/// The name that every server certificate of ours has, as a DNS SAN and literally: no wildcard, no common
/// name.
bool set_expected_name(SSL_CTX* context) {
  X509_VERIFY_PARAM* const parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(parameters,
                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(parameters, server_name.data(), server_name.size()) == 1 &&
         X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER) == 1;
}

bool use_credential(SSL_CTX* context, const tls_server_options& options) {
  const x509_ptr leaf = parse_certificate(options.server.certificate);
  const key_ptr key = parse_key(options.server.key);
  if (!leaf || !key || SSL_CTX_use_certificate(context, leaf.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return false;
  }
  if (options.authority.empty()) return true;
  const auto chain = parse_certificates(options.authority);
  for (const x509_ptr& one : chain) {
    if (SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, one.get()) != 1)
      return false; // 1: takes its own reference
  }
  return !chain.empty();
}

} // namespace

result<tls_context> tls_context::server(const tls_server_options& options) {
  clear_errors();
  ssl_context_ptr context{SSL_CTX_new(TLS_server_method())};
  if (!context || !set_common(context.get(), options.seed_peers)) fail("TLS server context");
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_alpn, nullptr);
  if (!options.seed_peers) SSL_CTX_set_client_hello_cb(context.get(), require_alpn, nullptr);
  const bool usable = use_credential(context.get(), options);
  clear_errors();
  if (!usable) return errc::bad_certificate;
  return tls_context(std::move(context), true, options.seed_peers);
}

result<tls_context> tls_context::client(const tls_client_options& options) {
  clear_errors();
  ssl_context_ptr context{SSL_CTX_new(TLS_client_method())};
  if (!context || !set_common(context.get(), options.seed_peers) || !set_expected_name(context.get()) ||
      SSL_CTX_set_alpn_protos(context.get(), alpn_list.data(), alpn_list.size()) !=
          0) { // 0 is success, here only
    fail("TLS client context");
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (options.pin.empty()) {
    const bool usable = set_trust(context.get(), options.authority);
    clear_errors();
    if (!usable) return errc::bad_certificate;
    return tls_context(std::move(context), false, options.seed_peers);
  }

  std::string text = options.pin;
  const auto pin = std::make_shared<pin_digest>();
  if (!options.authority.empty() || !normalize_pin(text) ||
      !from_hex(std::string_view(text).substr(7), *pin)) {
    return errc::bad_certificate;
  }
  SSL_CTX_set_cert_verify_callback(context.get(), verify_pinned, pin.get());
  // The pin lives as long as the handle; every engine holds one.
  return tls_context({context.release(), [pin](SSL_CTX* old) { SSL_CTX_free(old); }}, false,
                     options.seed_peers);
}

} // namespace gotunnel::crypto
