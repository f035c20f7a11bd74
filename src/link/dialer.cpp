#include "gotunnel/link/dialer.hpp"

#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/tcp.hpp"
#include "gotunnel/net/tls_stream.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

namespace gotunnel::link {
namespace {

asio::awaitable<shared_keys> give(shared_keys keys) { co_return keys; }

} // namespace

key_source always(shared_keys keys) {
  return [keys = std::move(keys)] { return give(keys); };
}

net::task<reached> dialer::reach(std::optional<resume_request> wanted) {
  failure_.clear();
  const shared_keys keys = co_await options_.keys();
  const auto where = co_await asio::this_coro::executor;
  const auto begin = std::chrono::steady_clock::now();
  auto socket = co_await net::dial(options_.server, options_.limit);
  if (!socket) co_return socket.error();
  auto below = std::make_unique<net::socket_stream>(std::move(*socket), net::socket_stream::purpose::carrier,
                                                    wire::to_string(options_.server));
  auto tls = std::make_unique<net::tls_stream>(options_.tls, std::move(below));
  net::tls_stream& stream = *tls;
  const duration left = options_.limit - (std::chrono::steady_clock::now() - begin);
  net::deadline late(where, left, [&] { stream.close(net::ending::abort); });

  const auto shaken = co_await stream.handshake();
  if (!shaken) {
    failure_ = stream.engine().failure();
    co_return late.expired() ? make_error_code(errc::timed_out) : shaken.error();
  }
  reached server;
  server.native = stream.engine().alpn() == crypto::native_alpn;
  server.carrier = std::move(tls);
  if (!server.native && !keys->seed_peers) co_return errc::seed_peer_refused;

  result<> greeted;
  if (server.native) {
    const auto exporter = stream.engine().exporter(wire::exporter_label);
    if (!exporter) co_return exporter.error();
    greeted = co_await greet_native(server, keys->first(), *exporter, wanted);
  } else {
    greeted = co_await greet_seed(server, keys->first());
  }
  if (late.expired()) co_return errc::timed_out;
  if (!greeted) co_return greeted.error();
  co_return server;
}

net::task<> dialer::greet_native(reached& server, const gate_key& key,
                                 const std::array<std::byte, 32>& exporter,
                                 const std::optional<resume_request>& wanted) {
  const wire::psk_context context{key.stretched, exporter};
  wire::client_hello ours;
  ours.capabilities = own_capabilities();
  ours.client = options_.client;
  ours.instance = options_.instance;
  crypto::random_bytes(ours.nonce);
  if (options_.resume_window > duration::zero()) {
    ours.capabilities |= static_cast<std::uint32_t>(wire::capability::resume);
    ours.window = window_ms(options_.resume_window);
  }
  if (wanted) {
    ours.session = wanted->session;
    ours.generation = wanted->generation;
    ours.received = wanted->received;
  }
  const auto sent_hello = wire::make_client_hello(ours, context);
  const auto sent = co_await server.carrier->write(sent_hello);
  if (!sent) co_return sent.error();

  wire::hello_bytes theirs{};
  const auto got = co_await read_exactly(*server.carrier, theirs);
  if (!got) co_return got.error();
  const auto hello = wire::read_server_hello(theirs, sent_hello, context);
  if (!hello) co_return hello.error();
  if (hello->status != wire::hello_status::accepted) co_return errc::refused;
  server.capabilities = hello->capabilities & ours.capabilities;
  server.session = hello->session;
  if (has(server.capabilities, wire::capability::resume))
    server.resume_window = smaller_window(options_.resume_window, hello->window);
  server.resumed = wanted && server.resume_window > duration::zero() && hello->session == wanted->session &&
                   hello->generation == wanted->generation;
  server.received = hello->received;
  co_return result<>();
}

net::task<> dialer::greet_seed(reached& server, const gate_key& key) {
  if (!wire::seed_can_carry(key.secret)) {
    failure_ =
        "the original protocol cannot carry a secret with white space at its ends or a line end inside";
    co_return errc::wrong_secret;
  }
  std::string line(key.secret.reveal());
  line.push_back('\n');
  const auto sent = co_await server.carrier->write(as_bytes(line));
  wipe(line.data(), line.size());
  if (!sent) co_return sent.error();
  const auto verdict = co_await read_line(*server.carrier, wire::seed_verdict_limit);
  if (!verdict) co_return verdict.error();
  co_return wire::read_seed_verdict(as_bytes(*verdict));
}

} // namespace gotunnel::link
