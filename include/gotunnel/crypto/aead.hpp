// Authenticated encryption of records, for one key and one direction. Private to crypto/record_cipher.
//
//   auto cipher = aead::make(suite, key, aead::use::seal);   cipher->seal(nonce, ad, text, tail, out);
//
// A message here is `text` and one byte behind it, as TLS 1.3 wants its records: the two lie apart, and so
// nothing is copied to bring them together. OpenSSL does the work, by EVP; AES-GCM on a processor with wide
// vector AES is done by Intel's multi-buffer library (crypto/wide_gcm.cpp) where we were built with it,
// because OpenSSL before 3.2 does not use those instructions: 12 GB/s instead of 4.5. Both are tested to
// give the same bytes. Failures of the library itself throw std::runtime_error. One thread at a time.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <array>
#include <memory>

struct ssl_cipher_st;

namespace gotunnel::crypto {

class aead {
public:
  static constexpr std::size_t tag_size = 16;
  static constexpr std::size_t nonce_size = 12;
  using nonce = std::array<std::byte, nonce_size>;

  enum class use { seal, open };

  virtual ~aead() = default;

  /// Fills `out`, which has text.size() + 1 + tag_size bytes.
  virtual void seal(const nonce& number, bytes_view ad, bytes_view text, std::byte tail, bytes_span out) = 0;
  /// `sealed` is what seal() gave; `text` has all of it but the tail and the tag. False when it is not
  /// authentic; then `text` and `tail` mean nothing.
  [[nodiscard]] virtual bool open(const nonce& number, bytes_view ad, bytes_view sealed, bytes_span text,
                                  std::byte& tail) = 0;

  /// What serves this suite of TLS 1.3 best on this machine.
  static std::unique_ptr<aead> make(const ssl_cipher_st* suite, bytes_view key, use direction);
};

/// By OpenSSL; `algorithm` as EVP_CIPHER_fetch() takes it.
std::unique_ptr<aead> make_evp_aead(const char* algorithm, bytes_view key, aead::use direction);
/// By wide vector instructions: AES-128-GCM and AES-256-GCM. Null where the program, or the processor, has
/// none.
std::unique_ptr<aead> make_wide_gcm(bytes_view key);

} // namespace gotunnel::crypto
