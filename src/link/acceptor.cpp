#include "gotunnel/link/acceptor.hpp"

#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/link/dialer.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/tls_stream.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

namespace gotunnel::link {

namespace {

/// A hello, and the key that proves it; the first one if none does.
struct proved_hello {
  result<wire::client_hello> hello = make_error_code(errc::wrong_secret);
  wire::psk_context context;
};

/// Tries all keys, so that the time it takes does not tell which is right.
proved_hello read_hello(const wire::hello_bytes& from, const gate_keys& keys,
                        const std::array<std::byte, 32>& exporter) {
  proved_hello outcome;
  outcome.context = {keys.first().stretched, exporter};
  for (const gate_key& key : keys.all) {
    const wire::psk_context context{key.stretched, exporter};
    auto hello = wire::read_client_hello(from, context);
    if (!hello) continue;
    outcome.context = context;
    outcome.hello = std::move(hello);
  }
  return outcome;
}

bool any_matches(bytes_view line, const gate_keys& keys) {
  bool right = false;
  for (const gate_key& key : keys.all) right |= wire::seed_secret_matches(line, key.secret);
  return right;
}

} // namespace

std::uint32_t own_capabilities() noexcept {
  return static_cast<std::uint32_t>(wire::capability::stream_reset) |
         static_cast<std::uint32_t>(wire::capability::renew);
}

net::task<admitted> acceptor::admit(net::stream_ptr socket, const crypto::tls_context& context) {
  const auto where = co_await asio::this_coro::executor;
  auto tls = std::make_unique<net::tls_stream>(context, std::move(socket));
  net::tls_stream& stream = *tls;
  stream.limit_input(admission_bytes);
  net::deadline late(where, limit_, [&] { stream.close(net::ending::abort); });

  const auto shaken = co_await stream.handshake();
  if (!shaken) {
    failure_ = late.expired() ? "no TLS handshake in time" : stream.engine().failure();
    co_return late.expired() ? make_error_code(errc::timed_out) : shaken.error();
  }
  admitted peer;
  peer.native = stream.engine().alpn() == crypto::native_alpn;
  peer.carrier = std::move(tls);
  if (!peer.native && !keys_->seed_peers) co_return errc::seed_peer_refused;

  result<> greeted;
  if (peer.native) {
    const auto exporter = stream.engine().exporter(wire::exporter_label);
    if (!exporter) co_return exporter.error();
    greeted = co_await greet_native(peer, *exporter);
  } else {
    greeted = co_await greet_seed(peer);
  }
  if (late.expired()) co_return errc::timed_out;
  if (!greeted) co_return greeted.error();
  stream.limit_input(net::tls_stream::unlimited);
  co_return peer;
}

/// What a client that has proved the secret is told.
asio::awaitable<wire::server_hello> acceptor::welcome(admitted& peer) {
  const wire::client_hello& hello = peer.hello;
  wire::server_hello ours;
  ours.capabilities = own_capabilities();
  if (has(hello.capabilities, wire::capability::resume))
    peer.resume_window = smaller_window(window_, hello.window);
  if (peer.resume_window > duration::zero()) {
    ours.capabilities |= static_cast<std::uint32_t>(wire::capability::resume);
    ours.window = window_ms(peer.resume_window);
    std::optional<resumption> on;
    if (hello.generation != 0) on = co_await desk_(hello);
    if (on) {
      ours.session = hello.session;
      ours.generation = hello.generation;
      ours.received = on->received;
      peer.go_on = std::move(on->go_on);
    }
  }
  peer.capabilities = hello.capabilities & ours.capabilities;
  if (!peer.go_on) {
    crypto::random_bytes(ours.session);
    bool seated = true;
    if (seat_) seated = co_await seat_(hello.client, ours.session);
    if (!seated) ours.status = wire::hello_status::busy;
  }
  peer.session = ours.session;
  co_return ours;
}

net::task<> acceptor::greet_native(admitted& peer, const std::array<std::byte, 32>& exporter) {
  wire::hello_bytes theirs{};
  const auto got = co_await read_exactly(*peer.carrier, theirs);
  if (!got) co_return got.error();

  wire::server_hello ours;
  crypto::random_bytes(ours.nonce);
  const auto claimed = wire::claimed_client(theirs);
  if (!claimed && claimed.error() != errc::refused) co_return claimed.error();
  if (!claimed) {
    ours.status = wire::hello_status::other_version;
    const auto answer = wire::make_server_hello(ours, theirs, {});
    co_return co_await refuse(*peer.carrier, answer, claimed.error());
  }
  proved_hello proved;
  const look_function look = [&] {
    proved = read_hello(theirs, *keys_, exporter);
    return proved.hello.has_value();
  };
  const std::optional<wire::peer_id> client = *claimed;
  const auto right = co_await judge_(client, look);
  if (!right) co_return right.error();
  if (!*right) {
    ours.status = wire::hello_status::wrong_secret;
    const auto answer = wire::make_server_hello(ours, theirs, {});
    co_return co_await refuse(*peer.carrier, answer, errc::wrong_secret);
  }
  peer.hello = *proved.hello;
  ours = co_await welcome(peer);
  crypto::random_bytes(ours.nonce);
  const auto answer = wire::make_server_hello(ours, theirs, proved.context);
  if (ours.status == wire::hello_status::busy)
    co_return co_await refuse(*peer.carrier, answer, errc::too_many_sessions);
  co_return co_await peer.carrier->write(answer);
}

net::task<> acceptor::greet_seed(admitted& peer) {
  auto line = co_await read_line(*peer.carrier, wire::seed_secret_limit);
  if (!line) co_return line.error();
  const wiped_at_the_end guard{*line};
  const look_function look = [&] { return any_matches(as_bytes(*line), *keys_); };
  const std::optional<wire::peer_id> nobody;
  const auto right = co_await judge_(nobody, look);
  if (!right) co_return right.error();
  if (!*right) co_return co_await refuse(*peer.carrier, as_bytes(wire::seed_refused), errc::wrong_secret);
  co_return co_await peer.carrier->write(as_bytes(wire::seed_accepted));
}

/// Says so, ends the connection in good order, and returns `why`.
net::task<> acceptor::refuse(net::stream& peer, bytes_view answer, error_code why) {
  const auto sent = co_await peer.write(answer);
  if (sent) [[maybe_unused]]
    const auto ended = co_await peer.shut();
  peer.close(net::ending::graceful);
  co_return why;
}

} // namespace gotunnel::link
