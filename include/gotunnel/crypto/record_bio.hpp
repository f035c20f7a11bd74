// The far side of OpenSSL's BIO: it reads the fed view and writes into the caller's buffer, and never waits.
//
//   record_port port;  SSL_set_bio(ssl, bio, bio) with bio = make_record_bio(port);     // the port must outlive the BIO
//
// Private to crypto/tls_engine.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/crypto/ossl.hpp"
#include "gotunnel/crypto/record_output.hpp"

namespace gotunnel::crypto {

/// Where cipher text comes from and goes to.
struct record_port {
  bytes_view input;               ///< what is left of the fed view
  std::size_t input_budget = 0;   ///< bytes that OpenSSL may still take
  bytes_span target;              ///< where write() wants its records; empty at all other times
  std::size_t used = 0;           ///< bytes of `target`
  record_output output;           ///< everything sealed outside of write()
  const char* overflow = nullptr; ///< which bound was hit

  [[nodiscard]] std::size_t take(bytes_span to) noexcept;
  [[nodiscard]] bool put(bytes_view bytes);
};

[[nodiscard]] ossl::bio_ptr make_record_bio(record_port& port);

} // namespace gotunnel::crypto
