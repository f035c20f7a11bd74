// A TLS peer that is not ours: OpenSSL with memory BIOs, configured to be whatever a test needs on the other
// end.
#pragma once

#include "gotunnel/crypto/ossl.hpp"
#include "support/engine_pair.hpp"

#include <functional>
#include <string_view>

namespace gotunnel::testing {

class raw_tls_peer {
public:
  enum class role { client, server };

  /// `configure` may change the context; a client has no ALPN and trusts everybody unless it says otherwise.
  explicit raw_tls_peer(role as, const std::function<void(SSL_CTX*)>& configure = {})
      : context_(SSL_CTX_new(as == role::client ? TLS_client_method() : TLS_server_method())) {
    if (configure) configure(context_.get());
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    if (as == role::client) {
      SSL_set_connect_state(ssl_.get());
    } else {
      SSL_set_accept_state(ssl_.get());
    }
  }

  [[nodiscard]] SSL* ssl() const noexcept { return ssl_.get(); }

  /// What was agreed on, like "TLSv1.3 TLS_AES_128_GCM_SHA256".
  [[nodiscard]] std::string description() const {
    return std::string(SSL_get_version(ssl_.get())) + ' ' +
           SSL_CIPHER_get_name(SSL_get_current_cipher(ssl_.get()));
  }

  void feed(bytes_view bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }

  [[nodiscard]] byte_vector take() {
    byte_vector bytes(BIO_ctrl_pending(out_));
    if (!bytes.empty()) BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }

  [[nodiscard]] byte_vector seal(bytes_view plain) {
    std::size_t n = 0;
    SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &n);
    return take();
  }

  [[nodiscard]] std::string read() {
    std::string text(64 * 1024, '\0');
    std::size_t n = 0;
    crypto::ossl::clear_errors();
    if (SSL_read_ex(ssl_.get(), text.data(), text.size(), &n) != 1) n = 0;
    text.resize(n);
    return text;
  }

  /// Runs the handshake against an engine of ours until both are done or one has failed. What the engine
  /// says.
  result<bool> handshake_with(crypto::tls_engine& engine) {
    bool done = false;
    error_code error;
    byte_vector to_engine;
    for (int round = 0; round < 10; ++round) {
      byte_vector to_peer;
      engine.feed(to_engine);
      engine_pair::advance(engine, to_peer, done, error);
      feed(to_peer);
      crypto::ossl::clear_errors();
      const bool peer_done = SSL_do_handshake(ssl_.get()) == 1;
      last_ = crypto::ossl::take_errors();
      if (error) return {boost::system::in_place_error, error};
      if (done && peer_done) return true; // what it says from now on, tickets first, waits for take()
      to_engine = take();
    }
    return false;
  }

  /// What the last step of the handshake put on the error queue: the alert that the engine sent.
  [[nodiscard]] const std::string& complaint() const noexcept { return last_.text; }

private:
  crypto::ossl::ssl_context_ptr context_;
  crypto::ossl::ssl_ptr ssl_;
  BIO* in_ = nullptr;  ///< owned by ssl_
  BIO* out_ = nullptr; ///< owned by ssl_
  crypto::ossl::error_report last_;
};

/// Configurations for it.
inline void only_tls12(SSL_CTX* context) {
  SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_2_VERSION, nullptr);
}
inline void offer(SSL_CTX* context, std::string_view name) {
  std::string list(1, static_cast<char>(name.size()));
  list += name;
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()),
                          static_cast<unsigned>(list.size()));
}
inline void present(SSL_CTX* context, const crypto::credential& credential) {
  SSL_CTX_use_certificate(context, crypto::ossl::parse_certificate(credential.certificate).get());
  SSL_CTX_use_PrivateKey(context, crypto::ossl::parse_key(credential.key).get());
}
/// Answers any offer with `name`, whether it was offered or not.
inline void insist_on(SSL_CTX* context, const char* name) {
  SSL_CTX_set_alpn_select_cb(
      context,
      [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned, void* user) {
        const std::string_view text = static_cast<const char*>(user);
        *out = static_cast<const unsigned char*>(user);
        *size = static_cast<unsigned char>(text.size());
        return SSL_TLSEXT_ERR_OK;
      },
      const_cast<char*>(name));
}

} // namespace gotunnel::testing
