// The native greeting: both sides prove the pre-shared secret, bound to this very TLS connection. Sans-IO.
//
//   client                                            server
//   make_client_hello(hello, context)  -- 128 bytes -->  read_client_hello(bytes, context)
//   read_server_hello(bytes, ...)      <-- 128 bytes --  make_server_hello(hello, client_bytes, context)
//
// proof of the client = HMAC-SHA256(key, "gotunnel/1 client" | exporter | first 96 bytes of its hello)
// proof of the server = HMAC-SHA256(key, "gotunnel/1 server" | exporter | the client's 128 bytes | first 96
// bytes of its own) `key` is the stretched secret (crypto::stretch, once a process), `exporter` the TLS
// keying material (RFC 8446 7.5, label "EXPORTER-gotunnel-1"). So a proof serves for one connection and one
// role: no replay, no relay, no oracle. A hello has a fixed size: a stranger costs a fixed buffer. Integers
// are big endian.
//
// Resume (both have the capability): each side says for how long it keeps a session without a carrier; the
// smaller window counts. A client whose carrier broke names the session, the generation of the carrier that
// it offers (one more for each attempt) and how many of the session's bytes it has received. A server that
// goes on with it repeats session and generation and says what it has received; else it gives the id of a new
// session.
//
// client hello                                server hello
//   0  4  "GTN1"                                0  4  "GTN1"
//   4  1  version (1)                           4  1  version (1)
//   5  3  zero                                  5  1  status
//   8  4  capabilities                          6  2  zero
//  12  4  generation (0: new session)           8  4  capabilities
//  16 16  client id                            12  4  generation (0: new session)
//  32 16  instance id                          16 16  session id
//  48 16  session id to resume (0: new)        32 32  nonce
//  64 20  nonce                                64  8  received (resume; 0)
//  84  4  window, ms (resume; else nonce)      72  4  window, ms (resume; 0)
//  88  8  received (resume; else nonce)        76 20  zero
//  96 32  proof                                96 32  proof (zero when the status says that the proof was
//  refused)
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/base/secret.hpp"

#include <array>

namespace gotunnel::wire {

inline constexpr std::size_t hello_size = 128;
inline constexpr std::string_view exporter_label = "EXPORTER-gotunnel-1";
inline constexpr std::string_view stretch_salt = "gotunnel/1 pre-shared secret";

using hello_bytes = std::array<std::byte, hello_size>;
using peer_id =
    std::array<std::byte, 16>; ///< random: of a client (durable), of a process (instance), of a session

/// What both sides know about this connection.
struct psk_context {
  secret_key<32> key;
  std::array<std::byte, 32> exporter{};
};

/// Bits that both hellos carry; what both set is in force.
enum class capability : std::uint32_t {
  stream_reset = 1u << 0, ///< RST frames (smux_frame.hpp)
  resume = 1u << 1,       ///< ACK frames, and sessions that outlive their carrier
  renew = 1u << 2,        ///< a server may ask for a fresh session in place of this one (control.hpp)
};

[[nodiscard]] constexpr bool has(std::uint32_t capabilities, capability what) noexcept {
  return (capabilities & static_cast<std::uint32_t>(what)) != 0;
}

struct client_hello {
  std::uint32_t capabilities = 0;
  std::uint32_t generation = 0;
  peer_id client{};
  peer_id instance{};
  peer_id session{};
  std::array<std::byte, 20> nonce{};
  std::uint32_t window = 0;   ///< ms; of no meaning without capability::resume, as is what follows
  std::uint64_t received = 0; ///< bytes of `session`

  friend bool operator==(const client_hello&, const client_hello&) = default;
};

enum class hello_status : std::uint8_t {
  accepted = 0,
  wrong_secret = 1,  ///< sent without proof
  other_version = 2, ///< sent without proof: the client's version is not ours
  busy = 3,          ///< with proof: the server takes no more sessions now
};

struct server_hello {
  hello_status status = hello_status::accepted;
  std::uint32_t capabilities = 0;
  std::uint32_t generation = 0;
  peer_id session{};
  std::array<std::byte, 32> nonce{};
  std::uint64_t received = 0;
  std::uint32_t window = 0; ///< ms

  friend bool operator==(const server_hello&, const server_hello&) = default;
};

[[nodiscard]] hello_bytes make_client_hello(const client_hello& hello, const psk_context& context);
/// Who a client says it is, before its proof is looked at. broken_frame: not a hello, or reserved bytes in
/// use; refused: another version.
[[nodiscard]] result<peer_id> claimed_client(const hello_bytes& from);
/// The same errors; wrong_secret: the proof is wrong.
[[nodiscard]] result<client_hello> read_client_hello(const hello_bytes& from, const psk_context& context);

[[nodiscard]] hello_bytes make_server_hello(const server_hello& hello, const hello_bytes& client,
                                            const psk_context& context);
/// broken_frame: not a hello; wrong_secret: status says so, or the server's proof is wrong; refused:
/// other_version. A hello with status `busy` and a right proof is returned as a value.
[[nodiscard]] result<server_hello> read_server_hello(const hello_bytes& from, const hello_bytes& client,
                                                     const psk_context& context);

} // namespace gotunnel::wire
