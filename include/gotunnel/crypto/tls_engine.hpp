// One TLS connection as a sans-IO machine: cipher text in and out, plain text in and out. No socket.
//
//   engine.feed(cipher);                  // borrowed until read() or handshake() says `wants_input`, or
//   until consumed whole engine.handshake() / engine.read(to)  // until they want more input
//   engine.write(plain, out)              // seals as many records as `out` can hold
//   engine.take_output(out)               // what handshake and alerts produced
//
// OpenSSL reads and writes our buffers directly through a BIO, so a read() or write() handles many records
// without a copy of its own into intermediate pairs. Follows RFC 8446 and RFC 5246. One thread at a time.
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

class tls_engine {
public:
  explicit tls_engine(const tls_context& context);
  tls_engine(tls_engine&&) noexcept;
  ~tls_engine();

  /// Largest plain text of a record (RFC 8446 5.1) and the most that sealing adds to it (5.2, header
  /// included).
  static constexpr std::size_t record_plain = 16 * 1024;
  static constexpr std::size_t record_overhead = 5 + 256;

  enum class progress { done, wants_input };

  /// Appends cipher text from the peer; the view must stay valid until pending_input() is 0.
  void feed(bytes_view cipher) noexcept;
  [[nodiscard]] std::size_t pending_input() const noexcept;

  /// Takes the handshake as far as the input allows. Collect the output after every call, also after an error
  /// (the alert). Errors: untrusted_server, wrong_server_name, certificate_expired, not_gotunnel,
  /// tls_failure.
  [[nodiscard]] result<progress> handshake();

  /// Decrypts into `to`: the number of bytes, or 0 when more input is needed (or `closed()` has become true).
  [[nodiscard]] result<std::size_t> read(bytes_span to);
  /// True when the peer has sent close_notify.
  [[nodiscard]] bool closed() const noexcept;

  /// Seals `plain` into records appended to `out`; the caller keeps `out` and may clear it when sent.
  [[nodiscard]] result<> write(bytes_view plain, bytes_span out, std::size_t& filled);
  /// Appends close_notify to the output.
  void shut() noexcept;

  /// Moves what the handshake, alerts and shut() produced into `to`; the number of bytes moved.
  [[nodiscard]] std::size_t take_output(bytes_span to) noexcept;
  [[nodiscard]] std::size_t pending_output() const noexcept;

  /// "gotunnel/1", or empty when no ALPN was chosen.
  [[nodiscard]] std::string_view alpn() const noexcept;
  /// "TLSv1.3 TLS_AES_128_GCM_SHA256"
  [[nodiscard]] std::string description() const;
  /// Keying material of this connection (RFC 8446 7.5), after the handshake.
  [[nodiscard]] result<std::array<std::byte, 32>> exporter(std::string_view label) const;
  /// What OpenSSL said about the last failure, for the log.
  [[nodiscard]] const std::string& failure() const noexcept;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace gotunnel::crypto
