#include "gotunnel/link/acceptor.hpp"

#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/link/dialer.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/tls_stream.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

#include "support/gate.hpp"
#include "support/memory_stream.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <optional>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

struct bench {
  bench(const net::executor& where, const link::shared_keys& keys,
        const tls_contexts& contexts = tls_contexts::common(), duration limit = 20s)
      : pair(make_memory_pair(where)), client(*contexts.client, std::move(pair.a)), server(*contexts.server),
        gate(
            keys, [this](const auto& who, const auto& look) { return judge(who, look); }, limit),
        tasks(where, "test") {
    tasks.spawn("admit", admit());
  }

  net::task<bool> judge(const std::optional<wire::peer_id>& who, const link::acceptor::look_function& look) {
    ++judged;
    claimed = who;
    if (verdict) co_return result<bool>(boost::system::in_place_error, verdict);
    const auto written_before = pair.at_b->written();
    co_await yield(3);
    BOOST_TEST(pair.at_b->written() == written_before);
    co_return look();
  }
  asio::awaitable<void> admit() {
    auto peer = co_await gate.admit(std::move(pair.b), server);
    if (peer)
      admitted.emplace(std::move(*peer));
    else
      failure = peer.error();
  }
  asio::awaitable<void> shake() {
    const auto done = co_await client.handshake();
    BOOST_TEST_REQUIRE(done.has_value());
  }
  wire::psk_context context(const link::shared_keys& keys) const {
    return {keys->first().stretched, client.engine().exporter(wire::exporter_label).value()};
  }
  wire::hello_bytes hello(const link::shared_keys& keys) const {
    wire::client_hello ours;
    ours.capabilities = 0xffffffff;
    ours.client.fill(std::byte{1});
    ours.instance.fill(std::byte{2});
    return wire::make_client_hello(ours, context(keys));
  }

  memory_pair pair;
  net::tls_stream client;
  crypto::tls_context server;
  link::acceptor gate;
  net::task_group tasks;
  std::optional<link::admitted> admitted;
  error_code failure;
  int judged = 0;
  std::optional<wire::peer_id> claimed;
  error_code verdict; ///< instead of a look
};

asio::awaitable<bool> never_seated() { co_return false; }

asio::awaitable<std::string> say_and_hear(bench& on, std::string text) {
  const auto sent = co_await on.client.write(as_bytes(text));
  BOOST_TEST(sent.has_value());
  const auto got = co_await on.client.read();
  if (!got) co_return "<" + got.error().message() + ">";
  std::string heard(as_text(*got));
  on.client.consume(got->size());
  co_return heard;
}

} // namespace

BOOST_AUTO_TEST_SUITE(acceptor_test)

BOOST_AUTO_TEST_CASE(a_native_client_with_the_secret_is_admitted) {
  for (const std::size_t piece : {std::size_t{1}, SIZE_MAX}) {
    run([piece](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, right_keys());
      on.pair.at_a->piece = on.pair.at_b->piece = piece;
      co_await on.shake();
      const auto hello = on.hello(right_keys());
      const auto sent = co_await on.client.write(hello);
      BOOST_TEST(sent.has_value());
      wire::hello_bytes theirs{};
      const auto got = co_await link::read_exactly(on.client, theirs);
      BOOST_TEST(got.has_value());
      const auto answer = wire::read_server_hello(theirs, hello, on.context(right_keys()));
      BOOST_TEST_REQUIRE(answer.has_value());
      BOOST_CHECK(answer->status == wire::hello_status::accepted);
      BOOST_TEST(answer->capabilities == link::own_capabilities());
      co_await on.tasks.join();
      BOOST_TEST_REQUIRE(on.admitted.has_value());
      BOOST_TEST(on.admitted->native);
      BOOST_TEST(on.admitted->capabilities == link::own_capabilities());
      BOOST_CHECK(on.admitted->hello.client[0] == std::byte{1});
      BOOST_TEST(on.judged == 1);
      BOOST_TEST((on.claimed.value() == on.admitted->hello.client));
    });
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_secret_is_judged_and_then_refused) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, right_keys());
    co_await on.shake();
    const auto hello = on.hello(wrong_keys());
    const auto sent = co_await on.client.write(hello);
    BOOST_TEST(sent.has_value());
    wire::hello_bytes theirs{};
    const auto got = co_await link::read_exactly(on.client, theirs);
    BOOST_TEST(got.has_value());
    const auto answer = wire::read_server_hello(theirs, hello, on.context(wrong_keys()));
    BOOST_TEST((answer.error() == errc::wrong_secret));
    const auto end = co_await on.client.read();
    BOOST_TEST(end.value().empty());
    co_await on.tasks.join();
    BOOST_TEST((on.failure == errc::wrong_secret));
    BOOST_TEST(on.judged == 1);
    BOOST_CHECK(on.pair.at_b->closed() == net::ending::graceful);
  });
}

BOOST_AUTO_TEST_CASE(who_is_not_heard_is_told_nothing) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    for (const auto* contexts : {&tls_contexts::common(), &seed_client_contexts()}) {
      bench on(where, right_keys(), *contexts);
      on.verdict = errc::not_heard;
      co_await on.shake();
      const auto hello = on.hello(right_keys());
      const std::string right =
          contexts == &tls_contexts::common() ? std::string(as_text(hello)) : "open sesame\n";
      const std::string heard = co_await say_and_hear(on, right);
      BOOST_TEST(heard.starts_with("<"));
      co_await on.tasks.join();
      BOOST_TEST((on.failure == errc::not_heard));
      BOOST_TEST(on.judged == 1);
      BOOST_CHECK(on.pair.at_b->closed() == net::ending::abort);
    }
  });
}

BOOST_AUTO_TEST_CASE(a_client_with_too_many_sessions_is_told_so_with_a_proof) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, right_keys());
    on.gate.limit_sessions([](const auto&, const auto&) { return never_seated(); });
    co_await on.shake();
    const auto hello = on.hello(right_keys());
    const auto sent = co_await on.client.write(hello);
    BOOST_TEST(sent.has_value());
    wire::hello_bytes theirs{};
    const auto got = co_await link::read_exactly(on.client, theirs);
    BOOST_TEST(got.has_value());
    const auto answer = wire::read_server_hello(theirs, hello, on.context(right_keys()));
    BOOST_TEST_REQUIRE(answer.has_value());
    BOOST_CHECK(answer->status == wire::hello_status::busy);
    co_await on.tasks.join();
    BOOST_TEST((on.failure == errc::too_many_sessions));
    BOOST_CHECK(on.pair.at_b->closed() == net::ending::graceful);
  });
}

BOOST_AUTO_TEST_CASE(each_of_several_secrets_is_admitted_and_answered_with_itself) {
  const std::vector<secret_text> both{secret_text("open rye"), secret_text("open sesame")};
  const auto keys = link::make_gate_keys(both, true);
  run([&keys](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    for (const link::gate_key& one : keys->all) {
      const auto alone = std::make_shared<link::gate_keys>(link::gate_keys{{one}, true});
      bench native(where, keys);
      co_await native.shake();
      const auto hello = native.hello(alone);
      const auto sent = co_await native.client.write(hello);
      BOOST_TEST(sent.has_value());
      wire::hello_bytes theirs{};
      const auto got = co_await link::read_exactly(native.client, theirs);
      BOOST_TEST(got.has_value());
      BOOST_TEST(wire::read_server_hello(theirs, hello, native.context(alone)).has_value());
      co_await native.tasks.join();
      BOOST_TEST(native.admitted.has_value());

      bench seed(where, keys, seed_client_contexts());
      co_await seed.shake();
      const std::string verdict = co_await say_and_hear(seed, std::string(one.secret.reveal()) + "\n");
      BOOST_TEST(verdict == "OK\n");
      co_await seed.tasks.join();
    }
    bench neither(where, keys);
    co_await neither.shake();
    const auto hello = neither.hello(wrong_keys());
    const auto sent = co_await neither.client.write(hello);
    BOOST_TEST(sent.has_value());
    co_await neither.tasks.join();
    BOOST_TEST((neither.failure == errc::wrong_secret));
    BOOST_TEST(neither.judged == 1);
  });
}

BOOST_AUTO_TEST_CASE(a_handshake_keeps_the_keys_it_began_with) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto keys = std::make_shared<const link::gate_keys>(*right_keys());
    const std::weak_ptr<const link::gate_keys> watched = keys;
    {
      bench on(where, keys);
      keys.reset(); // others get newer ones
      co_await on.shake();
      const auto hello = on.hello(right_keys());
      const auto sent = co_await on.client.write(hello);
      BOOST_TEST(sent.has_value());
      co_await on.tasks.join();
      BOOST_TEST(on.admitted.has_value());
    }
    BOOST_TEST(watched.expired());
  });
}

BOOST_AUTO_TEST_CASE(another_version_is_told_so_and_garbage_is_not_answered) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench other(co_await asio::this_coro::executor, right_keys());
    co_await other.shake();
    auto hello = other.hello(right_keys());
    hello[4] = std::byte{2};
    const auto sent = co_await other.client.write(hello);
    BOOST_TEST(sent.has_value());
    wire::hello_bytes theirs{};
    const auto got = co_await link::read_exactly(other.client, theirs);
    BOOST_TEST(got.has_value());
    BOOST_TEST(
        (wire::read_server_hello(theirs, hello, other.context(right_keys())).error() == errc::refused));
    co_await other.tasks.join();
    BOOST_TEST((other.failure == errc::refused));

    bench garbage(co_await asio::this_coro::executor, right_keys());
    co_await garbage.shake();
    const std::string heard = co_await say_and_hear(garbage, std::string(wire::hello_size, 'x'));
    BOOST_TEST(heard.starts_with("<"));
    co_await garbage.tasks.join();
    BOOST_TEST((garbage.failure == errc::broken_frame));
    BOOST_TEST(garbage.judged == 0);
    BOOST_CHECK(garbage.pair.at_b->closed() == net::ending::abort);
  });
}

BOOST_AUTO_TEST_CASE(an_end_at_any_byte_of_the_greeting_is_an_early_end) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    for (std::size_t length = 0; length < wire::hello_size; length += length < 3 || length > 120 ? 1 : 13) {
      bench on(where, right_keys());
      co_await on.shake();
      const auto hello = on.hello(right_keys());
      const auto sent = co_await on.client.write(bytes_view(hello).first(length));
      const auto shut = co_await on.client.shut();
      BOOST_TEST((sent.has_value() && shut.has_value()));
      co_await on.tasks.join();
      BOOST_TEST((on.failure == errc::end_of_stream));
      BOOST_TEST(on.pair.at_b->closed().has_value());
    }
  });
}

BOOST_AUTO_TEST_CASE(an_original_client_says_its_secret_on_a_line) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench right(where, right_keys(), seed_client_contexts());
    co_await right.shake();
    const std::string ok = co_await say_and_hear(right, "open sesame\nand what follows");
    BOOST_TEST(ok == "OK\n");
    co_await right.tasks.join();
    BOOST_TEST_REQUIRE(right.admitted.has_value());
    BOOST_TEST(!right.admitted->native);
    BOOST_TEST(right.admitted->capabilities == 0U);
    const auto rest = co_await right.admitted->carrier->read();
    BOOST_TEST(as_text(rest.value()) == "and what follows");

    bench wrong(where, right_keys(), seed_client_contexts());
    co_await wrong.shake();
    const std::string no = co_await say_and_hear(wrong, "open barley\n");
    BOOST_TEST(no == "ERROR: Invalid Secret\n");
    co_await wrong.tasks.join();
    BOOST_TEST((wrong.failure == errc::wrong_secret));
    BOOST_TEST(wrong.judged == 1);

    bench endless(where, right_keys(), seed_client_contexts());
    co_await endless.shake();
    const std::string nothing = co_await say_and_hear(endless, std::string(wire::seed_secret_limit + 1, 'x'));
    BOOST_TEST(nothing.starts_with("<"));
    co_await endless.tasks.join();
    BOOST_TEST((endless.failure == errc::limit_exceeded));
    BOOST_TEST(endless.judged == 0);
  });
}

// A line of 4 KiB is allowed, but not in records of one byte, which are 23 bytes on the wire.
BOOST_AUTO_TEST_CASE(who_sends_too_many_bytes_before_the_proof_is_dropped) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where, right_keys(), seed_client_contexts());
    co_await on.shake();
    std::size_t records = 0;
    for (; records < wire::seed_secret_limit - 1 && !on.failure; ++records) {
      const auto sent = co_await on.client.write(as_bytes("x"));
      if (!sent) break;
      co_await yield(3);
    }
    co_await on.tasks.join();
    BOOST_TEST((on.failure == errc::limit_exceeded));
    BOOST_TEST(records < wire::seed_secret_limit - 1);
    BOOST_TEST(on.pair.at_a->written() >= link::admission_bytes);
    BOOST_TEST(on.pair.at_a->written() < link::admission_bytes + 4096);
    BOOST_TEST(on.judged == 0);
  });
}

// Behind the proof there is no such limit.
BOOST_AUTO_TEST_CASE(the_budget_of_bytes_ends_with_the_proof) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where, right_keys(), seed_client_contexts());
    co_await on.shake();
    const std::string ok = co_await say_and_hear(on, "open sesame\n");
    BOOST_TEST(ok == "OK\n");
    co_await on.tasks.join();
    BOOST_TEST_REQUIRE(on.admitted.has_value());
    const std::string much(2 * link::admission_bytes, 'x');
    const auto sent = co_await on.client.write(as_bytes(much));
    BOOST_TEST(sent.has_value());
    std::size_t received = 0;
    while (received < much.size()) {
      const auto bytes = co_await on.admitted->carrier->read();
      BOOST_TEST_REQUIRE((bytes.has_value() && !bytes->empty()));
      received += bytes->size();
      on.admitted->carrier->consume(bytes->size());
    }
  });
}

BOOST_AUTO_TEST_CASE(original_clients_can_be_refused) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto keys = native_only(right_keys());
    bench on(co_await asio::this_coro::executor, keys, seed_client_contexts());
    [[maybe_unused]] const auto shaken = co_await on.client.handshake();
    co_await on.tasks.join();
    BOOST_TEST((on.failure == errc::seed_peer_refused));
    BOOST_TEST(on.pair.at_b->closed().has_value());
  });
}

BOOST_AUTO_TEST_CASE(who_takes_too_long_is_dropped_at_any_stage) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench silent(where, right_keys(), tls_contexts::common(), 1ms);
    co_await silent.tasks.join();
    BOOST_TEST((silent.failure == errc::timed_out));
    BOOST_TEST(silent.gate.failure() == "no TLS handshake in time");

    for (const auto* contexts : {&tls_contexts::common(), &seed_client_contexts()}) {
      bench late(where, right_keys(), *contexts, 700ms);
      co_await late.shake();
      const auto sent = co_await late.client.write(as_bytes("half a gre"));
      BOOST_TEST(sent.has_value());
      co_await late.tasks.join();
      BOOST_TEST((late.failure == errc::timed_out));
      BOOST_TEST(late.pair.at_b->closed().has_value());
    }
  });
}

BOOST_AUTO_TEST_CASE(who_speaks_no_tls_fails_the_handshake) {
  run([](log_capture&) -> asio::awaitable<void> {
    auto pair = make_memory_pair(co_await asio::this_coro::executor);
    const auto sent = co_await pair.a->write(as_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    BOOST_TEST(sent.has_value());
    link::acceptor gate(right_keys(), [](const auto&, const auto&) -> net::task<bool> { co_return false; });
    const auto context = *tls_contexts::common().server;
    const auto admitted = co_await gate.admit(std::move(pair.b), context);
    BOOST_TEST((admitted.error() == errc::not_gotunnel));
    BOOST_TEST(!gate.failure().empty());
  });
}

BOOST_AUTO_TEST_SUITE_END()
