// The application traffic secrets of a TLS 1.3 handshake, out of OpenSSL.
//
//   offer_secrets(ssl_context);             // once per context
//   collect_secrets(ssl, to);               // before the handshake; `to` must outlive it
//
// OpenSSL gives them away at one door only, the key log (SSL_CTX_set_keylog_callback, in the format of
// draft-ietf-tls-keylogfile). Ours writes no log: it keeps two of the lines in memory, for
// crypto/record_layer. Private to crypto/.
#pragma once

#include "gotunnel/base/secret.hpp"
#include "gotunnel/crypto/ossl.hpp"
#include "gotunnel/crypto/record_cipher.hpp"

namespace gotunnel::crypto {

class traffic_secrets {
public:
  [[nodiscard]] bytes_view client() const noexcept { return client_.view().first(size_); }
  [[nodiscard]] bytes_view server() const noexcept { return server_.view().first(size_); }

  /// Takes one line of the key log: "LABEL random secret", both in hex.
  void take(std::string_view line) noexcept;

private:
  secret_key<record_cipher::secret_limit> client_;
  secret_key<record_cipher::secret_limit> server_;
  std::size_t size_ = 0; ///< of both: that of the suite's hash
};

void offer_secrets(SSL_CTX* context);
void collect_secrets(SSL* ssl, traffic_secrets& to);

} // namespace gotunnel::crypto
