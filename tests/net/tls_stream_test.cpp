#include "gotunnel/net/tls_stream.hpp"

#include "support/engine_pair.hpp"
#include "support/memory_stream.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/tls_contexts.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using net::tls_stream;

namespace {

struct bench {
  explicit bench(const net::executor& where, const tls_contexts& keys = tls_contexts::common())
      : pair(make_memory_pair(where)), client(*keys.client, std::move(pair.a)),
        server(*keys.server, std::move(pair.b)), tasks(where, "test") {}

  static asio::awaitable<void> shake(tls_stream& which, error_code& outcome) {
    const auto done = co_await which.handshake();
    if (done) co_return;
    outcome = done.error();
    which.close(net::ending::abort);
  }
  asio::awaitable<void> handshake() {
    tasks.spawn("client", shake(client, client_error));
    tasks.spawn("server", shake(server, server_error));
    co_await tasks.join();
  }

  memory_pair pair;
  tls_stream client, server;
  error_code client_error, server_error;
  net::task_group tasks;
};

asio::awaitable<void> send(net::stream& to, std::size_t size, result<>& outcome) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 / 3);
  outcome = co_await to.write(bytes);
  if (outcome) outcome = co_await to.shut();
}

asio::awaitable<void> receive(net::stream& from, std::size_t& size, bool& intact, error_code& outcome) {
  for (;;) {
    const auto bytes = co_await from.read();
    if (!bytes) outcome = bytes.error();
    if (!bytes || bytes->empty()) co_return;
    const std::size_t used = bytes->size() > 100 ? bytes->size() - 50 : bytes->size();
    for (std::size_t i = 0; i < used; ++i)
      intact &= (*bytes)[i] == static_cast<std::byte>((size + i) * 7 / 3);
    size += used;
    from.consume(used);
  }
}

/// The server's side as a bare machine on a stream, so that a test can say what nobody says.
asio::awaitable<void> shake_engine(crypto::tls_engine& engine, net::stream& on) {
  for (;;) {
    const auto progress = engine.handshake();
    byte_vector out;
    take_all(engine, out);
    const auto sent = co_await on.write(out);
    BOOST_TEST_REQUIRE((progress.has_value() && sent.has_value()));
    if (*progress == crypto::tls_engine::progress::done) co_return;
    const auto bytes = co_await on.read();
    BOOST_TEST_REQUIRE((bytes.has_value() && !bytes->empty()));
    const byte_vector copy(bytes->begin(), bytes->end());
    engine.feed(copy);
    const auto more = engine.handshake();
    BOOST_TEST_REQUIRE(more.has_value());
    on.consume(copy.size());
  }
}

struct half_bench {
  explicit half_bench(const net::executor& where)
      : pair(make_memory_pair(where)), client(*tls_contexts::common().client, std::move(pair.a)),
        engine(*tls_contexts::common().server), tasks(where, "test") {}

  asio::awaitable<void> handshake() {
    tasks.spawn("client", bench::shake(client, client_error));
    co_await shake_engine(engine, *pair.b);
    co_await tasks.join();
    BOOST_TEST(!client_error);
  }
  byte_vector sealed(std::string_view text) { return seal(engine, as_bytes(text)).value(); }

  memory_pair pair;
  tls_stream client;
  crypto::tls_engine engine;
  error_code client_error;
  net::task_group tasks;
};

} // namespace

BOOST_AUTO_TEST_SUITE(tls_stream_test)

BOOST_AUTO_TEST_CASE(a_handshake_succeeds_whole_and_byte_by_byte) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, SIZE_MAX}) {
    run([piece](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor);
      on.pair.at_a->piece = on.pair.at_b->piece = piece;
      co_await on.handshake();
      BOOST_TEST(!on.client_error);
      BOOST_TEST(!on.server_error);
      BOOST_TEST(on.client.engine().alpn() == "gotunnel/1");
      BOOST_TEST(on.client.peer() == "b");
      const auto sent = co_await on.client.write(as_bytes("hello"));
      BOOST_TEST(sent.has_value());
      const auto got = co_await on.server.read();
      BOOST_TEST(as_text(got.value()) == "hello");
      on.server.consume(2);
      const auto rest = co_await on.server.read();
      BOOST_TEST(as_text(rest.value()) == "llo");
      on.server.consume(3);
    });
  }
}

BOOST_AUTO_TEST_CASE(a_failure_of_the_stream_below_at_any_step_is_the_error_of_the_handshake) {
  for (const bool at_client : {true, false}) {
    for (const step which : {step::read, step::write}) {
      bool failed = true;
      for (std::size_t nth = 1; failed; ++nth) {
        BOOST_TEST_REQUIRE(nth < 10U);
        run([&, at_client, which, nth](log_capture&) -> asio::awaitable<void> {
          bench on(co_await asio::this_coro::executor);
          (at_client ? on.pair.at_a : on.pair.at_b)->fail(which, nth, errc::peer_silent);
          co_await on.handshake();
          const error_code mine = at_client ? on.client_error : on.server_error;
          failed = !!mine;
          if (failed) BOOST_TEST((mine == errc::peer_silent));
        });
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_cut_during_the_handshake_is_an_early_end) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    on.pair.at_b->cut();
    co_await on.handshake();
    BOOST_TEST((on.server_error == errc::end_of_stream)); // in TLS 1.3 the client was done by then
  });
}

BOOST_AUTO_TEST_CASE(a_server_of_another_authority_is_refused_and_told_so) {
  run([](log_capture&) -> asio::awaitable<void> {
    tls_contexts mixed;
    mixed.client = tls_contexts::common().client;
    bench on(co_await asio::this_coro::executor, mixed);
    co_await on.handshake();
    BOOST_TEST((on.client_error == errc::untrusted_server));
    BOOST_TEST((on.server_error == errc::tls_failure));
    BOOST_TEST(!on.client.engine().failure().empty());
    // Not the breaking stream but the alert reached the server.
    BOOST_TEST(on.server.engine().failure().find("alert") != std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(close_notify_is_the_end_and_a_cut_is_not) {
  for (const bool cut : {false, true}) {
    run([cut](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor);
      co_await on.handshake();
      const auto sent = co_await on.client.write(as_bytes("all"));
      BOOST_TEST(sent.has_value());
      if (cut) {
        on.pair.at_b->cut();
      } else {
        const auto shut = co_await on.client.shut();
        BOOST_TEST(shut.has_value());
        BOOST_TEST(on.pair.at_a->shut());
        const auto late = co_await on.client.write(as_bytes("more"));
        BOOST_TEST((late.error() == errc::closed));
      }
      const auto got = co_await on.server.read();
      BOOST_TEST(as_text(got.value()) == "all");
      on.server.consume(3);
      for (int i = 0; i < 2; ++i) {
        const auto end = co_await on.server.read();
        if (cut)
          BOOST_TEST((end.error() == errc::end_of_stream));
        else
          BOOST_TEST(end.value().empty());
      }
      // A half-close only: the other direction still carries.
      const auto answer = co_await on.server.write(as_bytes("answer"));
      BOOST_TEST(answer.has_value());
      const auto heard = co_await on.client.read();
      BOOST_TEST(as_text(heard.value()) == "answer");
    });
  }
}

BOOST_AUTO_TEST_CASE(much_passes_both_ways_at_once) {
  for (const std::size_t capacity : {std::size_t{1000}, std::size_t{100'000}, std::size_t{1} << 20}) {
    run([capacity](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor);
      co_await on.handshake();
      on.pair.at_a->capacity = on.pair.at_b->capacity = capacity;
      const std::size_t size = capacity < 10'000 ? 200'003 : 2'000'003;
      result<> sent_up, sent_down;
      std::size_t up = 0, down = 0;
      bool intact = true;
      error_code failure;
      on.tasks.spawn("up", send(on.client, size, sent_up));
      on.tasks.spawn("down", send(on.server, size, sent_down));
      on.tasks.spawn("hear up", receive(on.server, up, intact, failure));
      on.tasks.spawn("hear down", receive(on.client, down, intact, failure));
      co_await on.tasks.join();
      BOOST_TEST((sent_up.has_value() && sent_down.has_value() && !failure));
      BOOST_TEST(up == size);
      BOOST_TEST(down == size);
      BOOST_TEST(intact);
    });
  }
}

BOOST_AUTO_TEST_CASE(the_peer_may_change_its_key_at_any_time) {
  run([](log_capture&) -> asio::awaitable<void> {
    half_bench on(co_await asio::this_coro::executor);
    co_await on.handshake();
    for (int round = 0; round < 5; ++round) {
      if (round > 0) on.engine.rekey();
      byte_vector wire = on.sealed("down");
      const auto sent = co_await on.pair.b->write(wire);
      BOOST_TEST(sent.has_value());
      const auto got = co_await on.client.read();
      BOOST_TEST(as_text(got.value()) == "down");
      on.client.consume(4);

      const auto answered = co_await on.client.write(as_bytes("up"));
      BOOST_TEST(answered.has_value());
      const auto cipher = co_await on.pair.b->read();
      const byte_vector copy(cipher->begin(), cipher->end());
      const auto plain = open(on.engine, copy);
      BOOST_TEST(as_text(plain.value()) == "up");
      on.pair.b->consume(copy.size());
    }
  });
}

BOOST_AUTO_TEST_CASE(tiny_records_do_not_keep_other_tasks_waiting) {
  run([](log_capture&) -> asio::awaitable<void> {
    half_bench on(co_await asio::this_coro::executor);
    co_await on.handshake();
    constexpr std::size_t records = 10'000;
    std::string wire;
    for (std::size_t i = 0; i < records; ++i) wire += as_text(on.sealed("x"));
    const auto sent = co_await on.pair.b->write(as_bytes(wire));
    BOOST_TEST_REQUIRE(sent.has_value());

    int turns = 0;
    bool over = false;
    const auto count_turns = [&]() -> asio::awaitable<void> {
      for (; !over; ++turns) co_await yield();
    };
    net::task_group others(on.tasks.where(), "test");
    others.spawn("others", count_turns());
    std::size_t received = 0;
    std::size_t longest = 0;
    for (int before = 0, since = 0; received < records; before = turns) {
      const auto bytes = co_await on.client.read();
      BOOST_TEST_REQUIRE((bytes.has_value() && !bytes->empty()));
      since = turns == before ? since + static_cast<int>(bytes->size()) : 0;
      longest = std::max(longest, static_cast<std::size_t>(since));
      received += bytes->size();
      on.client.consume(bytes->size());
    }
    over = true;
    co_await others.join();
    BOOST_TEST(received == records);
    BOOST_TEST(longest <= 17U * 256);
  });
}

BOOST_AUTO_TEST_CASE(what_is_taken_from_below_can_be_limited) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    co_await on.handshake();
    const auto say = [&on](std::size_t size) -> asio::awaitable<void> {
      const std::string text(size, 'x');
      const auto sent = co_await on.client.write(as_bytes(text));
      BOOST_TEST(sent.has_value());
    };
    on.server.limit_input(1000);
    for (int i = 0; i < 2; ++i) {
      co_await say(400);
      const auto got = co_await on.server.read();
      BOOST_TEST_REQUIRE(got.has_value());
      on.server.consume(got->size());
    }
    co_await say(400);
    const auto more = co_await on.server.read();
    BOOST_TEST((more.error() == errc::limit_exceeded));
  });
}

BOOST_AUTO_TEST_CASE(a_broken_record_behind_a_good_one_is_an_error_after_it) {
  run([](log_capture&) -> asio::awaitable<void> {
    half_bench on(co_await asio::this_coro::executor);
    co_await on.handshake();
    byte_vector wire = on.sealed("good");
    const byte_vector bad = on.sealed("bad");
    wire.insert(wire.end(), bad.begin(), bad.end());
    wire.back() ^= std::byte{1};
    const auto sent = co_await on.pair.b->write(wire);
    BOOST_TEST(sent.has_value());
    const auto good = co_await on.client.read();
    BOOST_TEST(as_text(good.value()) == "good");
    on.client.consume(4);
    const auto broken = co_await on.client.read();
    BOOST_TEST((broken.error() == errc::tls_failure));
    const auto still = co_await on.client.read();
    BOOST_TEST((still.error() == errc::tls_failure));
  });
}

BOOST_AUTO_TEST_CASE(failures_below_are_the_errors_of_read_and_write) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    co_await on.handshake();
    on.pair.at_a->fail(step::write, 1, errc::peer_silent);
    on.pair.at_a->fail(step::wait_writable, 1, errc::timed_out);
    on.pair.at_b->fail(step::read, 1, errc::reset);
    on.pair.at_a->round_trip = 7ms;
    const auto sent = co_await on.client.write(as_bytes("x"));
    BOOST_TEST((sent.error() == errc::peer_silent));
    const auto writable = co_await on.client.wait_writable();
    BOOST_TEST((writable.error() == errc::timed_out));
    const auto got = co_await on.server.read();
    BOOST_TEST((got.error() == errc::reset));
    BOOST_TEST((on.client.round_trip() == 7ms));
    on.client.close(net::ending::graceful);
    BOOST_CHECK(on.pair.at_a->closed() == net::ending::graceful);
  });
}

BOOST_AUTO_TEST_SUITE_END()
