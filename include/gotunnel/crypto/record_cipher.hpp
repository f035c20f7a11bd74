// The record protection of TLS 1.3 for one direction of one connection: traffic secret in, records out.
//
//   record_cipher out(record_cipher::use::seal, suite, secret);  n = out.seal(type, plain, room);
//   record_cipher in(record_cipher::use::open, suite, secret);   got = in.open(record, room);
//   x.update();                                                  // the next keys, after a KeyUpdate
//
// Counts the records by itself: they must be sealed and opened in their order. AEAD and key derivation are
// OpenSSL's; the bytes are read and written where they lie, without a copy. Follows RFC 8446 5.2 (records),
// 5.3 (nonces), 7.2 and 7.3 (keys). Throws std::runtime_error only when OpenSSL cannot work at all. One
// thread at a time.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/crypto/aead.hpp"

#include <cstdint>
#include <memory>

struct ssl_cipher_st;

namespace gotunnel::crypto {

/// What a record carries (RFC 8446 B.1).
enum class record_type : std::uint8_t { alert = 21, handshake = 22, application_data = 23 };

class record_cipher {
public:
  static constexpr std::size_t header_size = 5;
  static constexpr std::size_t tag_size = aead::tag_size;
  /// What sealing adds: the header, the inner type, the tag.
  static constexpr std::size_t overhead = header_size + 1 + tag_size;
  /// Plain bytes of a record, at most (5.1).
  static constexpr std::size_t plain_limit = 16 * 1024;
  /// Bytes that may follow a header (5.2): the peer may pad.
  static constexpr std::size_t body_limit = plain_limit + 256;
  /// Of the longest hash of a TLS 1.3 suite.
  static constexpr std::size_t secret_limit = 48;

  using use = aead::use;
  /// `secret` is that of one direction (client or server application traffic secret).
  record_cipher(use direction, const ssl_cipher_st* suite, bytes_view secret);
  record_cipher(record_cipher&&) noexcept;
  ~record_cipher();

  /// Writes one record of `plain` (plain_limit at most) to `out`, which has plain.size() + overhead bytes of
  /// room; how many were written.
  std::size_t seal(record_type type, bytes_view plain, bytes_span out);

  struct opened {
    record_type type;
    std::size_t size; ///< plain bytes
  };
  /// The room that open() needs for a record of `record` bytes, header included.
  static constexpr std::size_t opened_size(std::size_t record) noexcept { return record - overhead; }
  /// Opens one whole record, of any length, into `to`. What stands in `to` after a failure means nothing.
  /// Errors: tls_failure.
  [[nodiscard]] result<opened> open(bytes_view record, bytes_span to);

  /// The next generation of keys (7.2).
  void update();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace gotunnel::crypto
