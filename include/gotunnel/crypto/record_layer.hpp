// A TLS 1.3 connection after its handshake: records of application data, alerts and key updates, over our own
// buffers. Bytes are decrypted from the fed view straight into the reader's buffer, and encrypted from the
// writer's straight into what goes out; only a record that comes in pieces is gathered first.
//
//   record_layer records(keys, output);            // the two secrets that the handshake ended with
//   records.feed / read / write / shut             // as of tls_engine, which hands them on
//
// What it says on its own account (alerts, key updates) goes to `output`, whose content precedes the next
// write(). Of handshake messages it knows KeyUpdate; session tickets are dropped, all else is refused, and
// none may be in pieces: its peers are gotunnels. Records without data are limited (crypto/idle_records).
// Follows RFC 8446 5, 4.6 and 6. One thread at a time.
#pragma once

#include "gotunnel/base/block_pool.hpp"
#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/crypto/idle_records.hpp"
#include "gotunnel/crypto/record_cipher.hpp"
#include "gotunnel/crypto/record_output.hpp"

#include <string>

namespace gotunnel::crypto {

class record_layer {
public:
  struct keys {
    const ssl_cipher_st* suite;
    bytes_view ours;   ///< the traffic secret of what we send
    bytes_view theirs; ///< and of what we receive
  };
  record_layer(const keys& from, record_output& output);

  void feed(bytes_view cipher) noexcept {
    if (!broken_ && !peer_closed_) input_ = cipher;
  }
  /// Cipher text not looked at, and plain text that read() could not place.
  [[nodiscard]] std::size_t pending_input() const noexcept { return input_.size() + spilled_.size(); }
  /// Decrypts as many records as `to` holds, 256 at most: small ones cost as much as large ones, and others
  /// want their turn. Less than all is left in the input. A failure behind good bytes is reported by the next
  /// call, and again by every other. Errors: tls_failure; failure() says why and the alert is in the output.
  [[nodiscard]] result<std::size_t> read(bytes_span to);
  /// The failure of a read(), as soon as it is known.
  [[nodiscard]] error_code broken() const noexcept { return broken_; }
  [[nodiscard]] bool closed() const noexcept { return peer_closed_; }

  /// Seals `plain` into `out`, which has tls_engine::sealed_size() of room; how many bytes were written.
  std::size_t write(bytes_view plain, bytes_span out);
  /// A KeyUpdate goes ahead of the next write().
  void rekey() noexcept { rekey_ = true; }
  /// close_notify.
  void shut();

  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

private:
  [[nodiscard]] result<bytes_view> next_record();
  [[nodiscard]] bool gather(std::size_t wanted);
  [[nodiscard]] result<std::size_t> open(bytes_view record, bytes_span to);
  [[nodiscard]] std::size_t take_spilled(bytes_span to) noexcept;
  [[nodiscard]] result<> handle(record_type type, bytes_view plain);
  [[nodiscard]] result<> handle_alert(bytes_view plain);
  [[nodiscard]] result<> handle_handshake(bytes_view plain);
  [[nodiscard]] bool say(record_type type, bytes_view plain);
  error_code fail(std::uint8_t alert, std::string why);

  record_cipher sealing_;
  record_cipher opening_;
  bytes_view input_;
  block gathered_; ///< a record that comes in pieces, and later its plain text
  std::size_t gathered_size_ = 0;
  bytes_view spilled_; ///< plain text in `gathered_` that the reader has not taken
  record_output& output_;
  idle_records idle_;
  bool rekey_ = false;
  bool peer_closed_ = false;
  error_code broken_;
  std::string failure_;
};

} // namespace gotunnel::crypto
