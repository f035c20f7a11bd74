// One TLS connection as a sans-IO machine: cipher text in and out, plain text in and out. No socket.
//
//   engine.feed(cipher);                  // borrowed until pending_input() is 0; one view at a time
//   engine.handshake() / engine.read(to)  // until they want more input: then pending_input() is 0
//   engine.write(plain, out, filled)      // seals into `out`, which must have room: sealed_size()
//   engine.take_output(out)               // what handshake, alerts and key updates produced
//
// The order on the wire is the order of the calls: what take_output() and write() gave goes out first in,
// first out. write() takes pending output along by itself, so after the handshake take_output() is needed
// only where nothing is written.
//
// After a failure every further operation returns the same error. A peer cannot make the engine grow: output
// that is not collected is bounded (64 KiB), and so is what a handshake may take in (64 KiB); beyond them the
// connection fails.
//
// OpenSSL makes the handshake, over a BIO on our buffers. The records of the native protocol after it are our
// own (crypto/record_layer), which spares the copies into and out of OpenSSL's buffers; those of seed peers
// are OpenSSL's. After the handshake records without data are limited (crypto/idle_records). Keys are changed
// by records, small or large: AES-GCM wears with each. TLS 1.2 has no way to change them; when a key there
// has served for as long as it may, write() or read() fails. Follows RFC 8446 and RFC 5246. One thread at a
// time.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/crypto/tls_context.hpp"

#include <array>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;

namespace gotunnel::crypto {

/// Records that one key may seal.
struct key_limits {
  std::uint64_t change_after = std::uint64_t{1} << 22;
  /// 2^24.5 (RFC 8446 5.5; the cipher of TLS 1.2 is the same).
  std::uint64_t unchangeable = 23'726'566;
};

class tls_engine {
public:
  explicit tls_engine(const tls_context& context, key_limits keys = {});
  tls_engine(tls_engine&&) noexcept;
  ~tls_engine();

  /// Largest plain text of a record (RFC 8446 5.1) and the most that sealing adds to it (5.2, header
  /// included).
  static constexpr std::size_t record_plain = 16 * 1024;
  static constexpr std::size_t record_overhead = 5 + 256;

  /// The room that write() needs for `plain` bytes, pending output not counted: AEAD records add 22 bytes in
  /// TLS 1.3 and 29 in TLS 1.2 (the only cipher suites we have), and once in a long while a key update goes
  /// first.
  static constexpr std::size_t sealed_size(std::size_t plain) noexcept {
    return plain + 32 * ((plain + record_plain - 1) / record_plain + 1);
  }

  enum class progress { done, wants_input };

  /// Lends cipher text from the peer; the view must stay valid until pending_input() is 0, and only then
  /// comes the next.
  void feed(bytes_view cipher) noexcept;
  /// What read() would still find without more input: cipher text not looked at, and plain text that `to` did
  /// not hold. 0 means that the lent view is free.
  [[nodiscard]] std::size_t pending_input() const noexcept;

  /// Takes the handshake as far as the input allows. Collect the output after every call, also after an error
  /// (the alert). Errors: untrusted_server, wrong_server_name, certificate_expired, not_gotunnel,
  /// seed_peer_refused, tls_failure.
  [[nodiscard]] result<progress> handshake();

  /// Decrypts into `to` as many records as it holds: the number of bytes, or 0 when more input is needed (or
  /// `closed()` has become true). A failure behind good bytes is reported by the next call. An end of the
  /// input without `closed()` is a truncation; the driver knows about that, the engine does not. Errors:
  /// tls_failure, keys_worn.
  [[nodiscard]] result<std::size_t> read(bytes_span to);
  /// True when the peer has sent close_notify.
  [[nodiscard]] bool closed() const noexcept;

  /// Seals `plain` into records, put into `out` from `filled` on, which grows; pending output goes first.
  /// Needs pending_output() + sealed_size(plain.size()) bytes of room: otherwise limit_exceeded, and nothing
  /// has happened. Errors: closed after shut(), tls_failure, keys_worn.
  [[nodiscard]] result<> write(bytes_view plain, bytes_span out, std::size_t& filled);
  /// Changes the key that we seal with, at the next write(). write() asks for it by itself, well before the
  /// limit of AES-GCM. Nothing happens in TLS 1.2.
  void rekey() noexcept;
  /// Of a connection whose keys cannot be changed, the part that is left of their life, 0 to 1; else 1.
  [[nodiscard]] double key_life() const noexcept;
  /// Appends close_notify to the output.
  void shut() noexcept;

  /// Moves what the handshake, alerts and shut() produced into `to`; the number of bytes moved.
  [[nodiscard]] std::size_t take_output(bytes_span to) noexcept;
  [[nodiscard]] std::size_t pending_output() const noexcept;

  /// "gotunnel/1", or empty when no ALPN was chosen.
  [[nodiscard]] std::string_view alpn() const noexcept;
  /// Keying material of this connection (RFC 8446 7.5), after the handshake.
  [[nodiscard]] result<std::array<std::byte, 32>> exporter(std::string_view label) const;
  /// What OpenSSL said about the last failure, for the log.
  [[nodiscard]] const std::string& failure() const noexcept;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace gotunnel::crypto
