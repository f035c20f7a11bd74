#include "gotunnel/link/dialer.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/resolver.hpp"
#include "gotunnel/net/tcp.hpp"
#include "gotunnel/net/tls_stream.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

#include <algorithm>

namespace gotunnel::link {
namespace {

asio::awaitable<shared_keys> give(shared_keys keys) { co_return keys; }

// While other addresses are left, or a newer way: a greeting takes a round trip, and a proof may wait for its
// turn for up to 3 s.
constexpr duration greeting_limit = 6s;
constexpr duration greeting_limit_in_haste = 2s;

time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

key_source always(shared_keys keys) {
  return [keys = std::move(keys)] { return give(keys); };
}

dialer::dial::dial(const net::executor& executor, const dialer& of, shared_keys known,
                   net::endpoints addresses, request_source request, time_point end)
    : where(executor), keys(std::move(known)), wanted(std::move(request)), until(end),
      race(executor, of.options_.tls, std::move(addresses), wire::to_string(of.options_.server),
           of.max_segment_) {}

net::task<reached> dialer::reach(request_source wanted) {
  failure_.clear();
  const auto where = co_await asio::this_coro::executor;
  const time_point until = now() + options_.limit;
  const struct registration {
    dialer& of;
    ~registration() {
      of.reaching_ = false;
      of.under_way_ = nullptr;
    }
  } registered{*this};
  reaching_ = true;
  auto keys = co_await options_.keys();
  auto addresses = co_await net::resolve(options_.server, options_.limit);
  if (!addresses) co_return addresses.error();
  dial current(where, *this, std::move(keys), std::move(*addresses), std::move(wanted), until);
  under_way_ = &current;
  co_return co_await reach_any(current);
}

net::task<reached> dialer::reach_any(dial& under_way) {
  telling_failure failure;
  for (;;) {
    auto won = co_await under_way.race.next(under_way.until);
    if (!won) {
      failure.note(won.error(), under_way.race.failure().detail());
      break;
    }
    failure_.clear();
    auto server = co_await greet(under_way, std::move(*won));
    if (server) co_return server;
    failure.note(server.error(), failure_);
    if (!under_way.race.more() || now() >= under_way.until) break;
  }
  net::resolver::of_process().doubt(options_.server.host); // its address may be another machine's by now
  failure_ = failure.detail();
  co_return failure.why();
}

bool dialer::hurry() {
  if (under_way_ == nullptr) return reaching_;
  under_way_->race.again();
  if (under_way_->greeting == nullptr || !under_way_->race.more()) return true;
  dial& current = *under_way_;
  current.patience.emplace(current.where, greeting_limit_in_haste, [&current] {
    current.gave_up = true;
    current.greeting->close(net::ending::abort);
  });
  return true;
}

net::task<reached> dialer::greet(dial& under_way, address_race::winner winner) {
  net::tls_stream& stream = *winner.stream;
  const duration left = under_way.until - now();
  under_way.gave_up = false;
  under_way.greeting = &stream;
  under_way.patience.emplace(under_way.where,
                             under_way.race.more() ? std::min<duration>(left, greeting_limit) : left, [&] {
                               under_way.gave_up = true;
                               stream.close(net::ending::abort);
                             });
  const struct silence {
    dial& of;
    ~silence() {
      of.patience.reset();
      of.greeting = nullptr;
    }
  } ended{under_way};

  reached server;
  server.native = stream.engine().alpn() == crypto::native_alpn;
  server.max_segment = winner.max_segment;
  server.same_machine = winner.same_machine;
  server.carrier = std::move(winner.stream);
  if (const auto allowed = judge_protocol(server.native, under_way.wanted != nullptr); !allowed)
    co_return allowed.error();

  result<> greeted;
  if (server.native) {
    std::optional<resume_request> wanted;
    if (under_way.wanted) wanted = under_way.wanted();
    const auto exporter = stream.engine().exporter(wire::exporter_label);
    if (!exporter) co_return exporter.error();
    greeted = co_await greet_native(server, under_way.keys->first(), *exporter, wanted);
  } else {
    greeted = co_await greet_seed(server, under_way.keys->first());
  }
  if (under_way.gave_up) co_return errc::timed_out;
  if (!greeted) co_return greeted.error();
  co_return server;
}

/// Before anything is sent that only a server may have.
result<> dialer::judge_protocol(bool native, bool resuming) {
  seed_fallback& fallback = *options_.fallback;
  // Only a native server can have the session that is to go on.
  if (native || resuming) fallback.saw_native();
  if (native) return {};
  const auto allowed = fallback.judge();
  if (allowed && fallback.against_memory())
    log::warn("link",
              "{} speaks the original protocol, though a server of its CA has been native; it is sent the "
              "secret because of -seed-peers on",
              wire::to_string(options_.server));
  return allowed;
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
  if (hello->status == wire::hello_status::busy) co_return errc::too_many_sessions;
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
  std::string line;
  line.reserve(key.secret.reveal().size() + 1); // never moved
  line += key.secret.reveal();
  line += '\n';
  const wiped_at_the_end guard{line};
  const auto sent = co_await server.carrier->write(as_bytes(line));
  if (!sent) co_return sent.error();
  const auto verdict = co_await read_line(*server.carrier, wire::seed_verdict_limit);
  if (!verdict) co_return verdict.error();
  co_return wire::read_seed_verdict(as_bytes(*verdict));
}

} // namespace gotunnel::link
