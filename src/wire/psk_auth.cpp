#include "gotunnel/wire/psk_auth.hpp"

#include "gotunnel/crypto/digest.hpp"

#include <algorithm>

namespace gotunnel::wire {
namespace {

constexpr std::string_view magic = "GTN1";
constexpr auto version = std::byte{1};
constexpr std::string_view client_role = "gotunnel/1 client";
constexpr std::string_view server_role = "gotunnel/1 server";

// Offsets in both hellos, then those of one; the header has the tables.
constexpr std::size_t version_at = 4;
constexpr std::size_t capabilities_at = 8;
constexpr std::size_t generation_at = 12;
constexpr std::size_t proof_at = 96;
constexpr std::size_t proof_size = 32;

constexpr std::size_t client_reserved_at = 5;
constexpr std::size_t client_id_at = 16;
constexpr std::size_t client_instance_at = 32;
constexpr std::size_t client_session_at = 48;
constexpr std::size_t client_nonce_at = 64;
constexpr std::size_t client_window_at = 84;
constexpr std::size_t client_received_at = 88;

constexpr std::size_t server_status_at = 5;
constexpr std::size_t server_reserved_at = 6;
constexpr std::size_t server_session_at = 16;
constexpr std::size_t server_nonce_at = 32;
constexpr std::size_t server_received_at = 64;
constexpr std::size_t server_window_at = 72;
constexpr std::size_t server_padding_at = 76;

template <std::size_t Size>
void put(hello_bytes& to, std::size_t at, const std::array<std::byte, Size>& value) {
  std::copy(value.begin(), value.end(), to.begin() + static_cast<std::ptrdiff_t>(at));
}

template <std::size_t Size>
void take(const hello_bytes& from, std::size_t at, std::array<std::byte, Size>& value) {
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(at), Size, value.begin());
}

bytes_view part(const hello_bytes& hello, std::size_t first, std::size_t end) {
  return bytes_view{hello}.subspan(first, end - first);
}

bool all_zero(bytes_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

bool begins_with_magic(const hello_bytes& hello) { return as_text(part(hello, 0, version_at)) == magic; }

hello_bytes blank_hello(std::uint32_t capabilities, std::uint32_t generation) {
  hello_bytes hello{};
  const bytes_view begin = as_bytes(magic);
  std::copy(begin.begin(), begin.end(), hello.begin());
  hello[version_at] = version;
  store_be32(bytes_span{hello}.subspan(capabilities_at), capabilities);
  store_be32(bytes_span{hello}.subspan(generation_at), generation);
  return hello;
}

// The parts have fixed sizes, so no two different inputs concatenate to the same bytes.
crypto::sha256_digest client_proof(const hello_bytes& hello, const psk_context& context) {
  return crypto::hmac_sha256(context.key.view(),
                             {as_bytes(client_role), context.exporter, part(hello, 0, proof_at)});
}

crypto::sha256_digest server_proof(const hello_bytes& hello, const hello_bytes& client,
                                   const psk_context& context) {
  return crypto::hmac_sha256(context.key.view(),
                             {as_bytes(server_role), context.exporter, client, part(hello, 0, proof_at)});
}

bool proof_is(const hello_bytes& hello, const crypto::sha256_digest& expected) {
  return equal_in_constant_time(part(hello, proof_at, hello_size), expected);
}

/// A server proves nothing to a client that did not prove itself: no oracle.
bool carries_proof(hello_status status) {
  return status == hello_status::accepted || status == hello_status::busy;
}

static_assert(proof_at + proof_size == hello_size);
static_assert(sizeof(crypto::sha256_digest) == proof_size);

} // namespace

hello_bytes make_client_hello(const client_hello& hello, const psk_context& context) {
  hello_bytes bytes = blank_hello(hello.capabilities, hello.generation);
  put(bytes, client_id_at, hello.client);
  put(bytes, client_instance_at, hello.instance);
  put(bytes, client_session_at, hello.session);
  put(bytes, client_nonce_at, hello.nonce);
  store_be32(bytes_span{bytes}.subspan(client_window_at), hello.window);
  store_be64(bytes_span{bytes}.subspan(client_received_at), hello.received);
  put(bytes, proof_at, client_proof(bytes, context));
  return bytes;
}

result<peer_id> claimed_client(const hello_bytes& from) {
  if (!begins_with_magic(from)) return errc::broken_frame;
  // Before everything else: another version may lay out the rest differently.
  if (from[version_at] != version) return errc::refused;
  if (!all_zero(part(from, client_reserved_at, capabilities_at))) return errc::broken_frame;
  peer_id client{};
  take(from, client_id_at, client);
  return client;
}

result<client_hello> read_client_hello(const hello_bytes& from, const psk_context& context) {
  const auto claimed = claimed_client(from);
  if (!claimed) return claimed.error();
  if (!proof_is(from, client_proof(from, context))) return errc::wrong_secret;

  client_hello hello;
  hello.capabilities = load_be32(bytes_view{from}.subspan(capabilities_at));
  hello.generation = load_be32(bytes_view{from}.subspan(generation_at));
  hello.client = *claimed;
  take(from, client_instance_at, hello.instance);
  take(from, client_session_at, hello.session);
  take(from, client_nonce_at, hello.nonce);
  hello.window = load_be32(bytes_view{from}.subspan(client_window_at));
  hello.received = load_be64(bytes_view{from}.subspan(client_received_at));
  return hello;
}

hello_bytes make_server_hello(const server_hello& hello, const hello_bytes& client,
                              const psk_context& context) {
  hello_bytes bytes = blank_hello(hello.capabilities, hello.generation);
  bytes[server_status_at] = static_cast<std::byte>(hello.status);
  put(bytes, server_session_at, hello.session);
  put(bytes, server_nonce_at, hello.nonce);
  store_be64(bytes_span{bytes}.subspan(server_received_at), hello.received);
  store_be32(bytes_span{bytes}.subspan(server_window_at), hello.window);
  if (carries_proof(hello.status)) put(bytes, proof_at, server_proof(bytes, client, context));
  return bytes;
}

result<server_hello> read_server_hello(const hello_bytes& from, const hello_bytes& client,
                                       const psk_context& context) {
  if (!begins_with_magic(from)) return errc::broken_frame;
  if (from[version_at] != version) return errc::refused;
  if (from[server_status_at] > static_cast<std::byte>(hello_status::busy)) return errc::broken_frame;
  if (!all_zero(part(from, server_reserved_at, capabilities_at)) ||
      !all_zero(part(from, server_padding_at, proof_at)))
    return errc::broken_frame;

  server_hello hello;
  hello.status = static_cast<hello_status>(from[server_status_at]);
  if (hello.status == hello_status::other_version) return errc::refused;
  if (hello.status == hello_status::wrong_secret) return errc::wrong_secret;
  if (!proof_is(from, server_proof(from, client, context))) return errc::wrong_secret;

  hello.capabilities = load_be32(bytes_view{from}.subspan(capabilities_at));
  hello.generation = load_be32(bytes_view{from}.subspan(generation_at));
  take(from, server_session_at, hello.session);
  take(from, server_nonce_at, hello.nonce);
  hello.received = load_be64(bytes_view{from}.subspan(server_received_at));
  hello.window = load_be32(bytes_view{from}.subspan(server_window_at));
  return hello;
}

} // namespace gotunnel::wire
