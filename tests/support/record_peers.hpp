// What the record rooms need of TLS without a handshake: a suite by its number, and secrets to begin with.
#pragma once

#include "gotunnel/crypto/ossl.hpp"

#include <array>
#include <cstdint>

namespace gotunnel::testing {

/// The suite with this number (RFC 8446 B.4), as OpenSSL knows it.
inline const SSL_CIPHER* suite_of(std::uint16_t number) {
  static const crypto::ossl::ssl_context_ptr context{SSL_CTX_new(TLS_method())};
  static const crypto::ossl::ssl_ptr ssl{SSL_new(context.get())};
  const std::array<unsigned char, 2> name = {static_cast<unsigned char>(number >> 8),
                                             static_cast<unsigned char>(number)};
  return SSL_CIPHER_find(ssl.get(), name.data());
}

inline constexpr std::uint16_t aes_128_gcm_sha256 = 0x1301;
inline constexpr std::uint16_t aes_256_gcm_sha384 = 0x1302;
inline constexpr std::uint16_t chacha20_poly1305_sha256 = 0x1303;

inline std::size_t secret_size(std::uint16_t suite) { return suite == aes_256_gcm_sha384 ? 48 : 32; }

} // namespace gotunnel::testing
