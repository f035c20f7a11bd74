// Sessions whose carriers break: what the streams of both ends see of it, which should be nothing.
#include "mux/bench.hpp"

#include <boost/asio/error.hpp>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

wire::smux_config resumable(wire::smux_role role) {
  auto config = mux_config(role);
  config.resumable = true;
  return config;
}

/// Two resumable sessions, and new carriers for them.
struct resume_bench : mux_bench {
  explicit resume_bench(const net::executor& at, duration window = 10s)
      : mux_bench(at, resumable(wire::smux_role::client), resumable(wire::smux_role::server), window),
        where(at) {}

  /// One new carrier, as client and server agree on it.
  asio::awaitable<bool> come_back() {
    const bool client_waits = co_await client->lost();
    const bool server_waits = co_await server->fence();
    if (!client_waits || !server_waits) co_return false;
    pair = make_memory_pair(where);
    ++carriers;
    if (disturb) disturb(*this);
    BOOST_TEST(client->attach(std::move(pair.a), server->received()));
    BOOST_TEST(server->attach(std::move(pair.b), client->received()));
    co_return true;
  }
  asio::awaitable<void> supply() {
    for (bool on = true; on;) on = co_await come_back();
  }
  void cut() { pair.at_a->cut(asio::error::connection_reset); }

  net::executor where;
  std::function<void(resume_bench&)> disturb; ///< each new carrier
  int carriers = 1;
};

std::string content(std::size_t size, char seed) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>(seed + static_cast<char>(i * 7 + i / 251));
  return text;
}

/// Says all of `text` in pieces, ends its side, and expects `wanted` to its end.
asio::awaitable<void> talk(net::stream& on, std::string text, std::string wanted, int& done) {
  std::size_t at = 0;
  for (std::size_t size = 1; at < text.size(); size = size * 3 % 5000 + 1) {
    const std::string piece = text.substr(at, size);
    const auto sent = co_await on.write(as_bytes(piece));
    BOOST_TEST(sent.has_value());
    at += piece.size();
  }
  const auto shut = co_await on.shut();
  BOOST_TEST(shut.has_value());
  const std::string heard = co_await read_all(on);
  BOOST_TEST((heard == wanted), "heard " << heard.size() << " of " << wanted.size() << " bytes");
  ++done;
}

/// A conversation both ways over carriers that `disturb` treats badly.
void converse(std::function<void(resume_bench&)> disturb, int least_carriers, std::size_t size) {
  run([&](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.disturb = disturb;
    on.start();
    co_await on.connect();
    on.tasks.spawn("carriers", on.supply());
    const std::string up = content(size, 'u');
    const std::string down = content(size / 2, 'd');
    int done = 0;
    disturb(on);
    on.tasks.spawn("near", talk(*on.near, up, down, done));
    on.tasks.spawn("far", talk(*on.far, down, up, done));
    co_await until([&] { return done == 2; });
    BOOST_TEST(on.carriers >= least_carriers);
    on.near.reset();
    on.far.reset();
    on.client->close(errc::closed);
    co_await on.sessions.join();
    co_await on.tasks.join();
    BOOST_TEST((on.client_end.value() == errc::closed));
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(session_resume_test)

BOOST_AUTO_TEST_CASE(a_carrier_that_fails_at_any_step_takes_nothing_with_it) {
  for (const step which : {step::read, step::write, step::wait_writable}) {
    for (std::size_t nth = 1; nth <= 12; ++nth) {
      for (const bool near : {true, false}) {
        const auto disturb = [&](resume_bench& on) {
          // The first few carriers; then one that lasts.
          if (on.carriers > 6) return;
          (near ? on.pair.at_a : on.pair.at_b)->fail(which, nth, errc::tls_failure);
        };
        converse(disturb, 2, 60'000);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_carrier_that_swallows_what_it_took_loses_nothing) {
  for (const std::size_t taken : {1U, 7U, 1000U, 20'000U}) {
    const auto disturb = [&](resume_bench& on) {
      if (on.carriers > 5) return;
      // What the far end has not read when the near end breaks is gone.
      on.pair.at_b->piece = taken;
      on.pair.at_b->fail(step::read, 3, errc::end_of_stream);
    };
    converse(disturb, 5, 100'000);
  }
}

BOOST_AUTO_TEST_CASE(a_carrier_moves_a_session_on_when_something_came_and_what_waited_went) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    on.cut();
    bool back = co_await on.come_back();
    BOOST_TEST(back);
    on.pair.at_b->stall(step::read); // nothing gets through
    error_code said;
    const std::string much = content(100'000, 'm');
    on.tasks.spawn("near", write_to(*on.near, much, said));
    co_await pause(20ms);
    on.cut();
    bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    BOOST_TEST(!on.client->moved_on());
    back = co_await on.come_back();
    BOOST_TEST(back);
    const std::string heard = co_await read_some(*on.far, much.size());
    BOOST_TEST((heard == much));
    on.tasks.spawn("far", write_to(*on.far, much, said));
    const std::string answer = co_await read_some(*on.near, much.size());
    BOOST_TEST((answer == much));
    co_await pause(600ms); // until it is acknowledged
    on.cut();
    waits = co_await on.client->lost();
    BOOST_TEST(waits);
    BOOST_TEST(on.client->moved_on());
    back = co_await on.come_back();
    BOOST_TEST(back);
    on.near.reset();
    on.far.reset();
    on.client->close(errc::closed);
    co_await on.sessions.join();
    co_await on.tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(streams_opened_reset_and_ended_without_a_carrier_are_known_with_the_next) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    auto second = on.client->open();
    auto second_far = co_await on.server->accept();
    on.cut();
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    BOOST_CHECK((on.client->loss() == asio::error::connection_reset));
    auto third = on.client->open(); // a visitor that waits
    BOOST_TEST_REQUIRE(third.has_value());
    error_code said;
    on.tasks.spawn("third", write_to(**third, "hello", said));
    (*second)->reset(wire::smux_reset_reason::unreachable);
    const auto shut = co_await on.near->shut();
    BOOST_TEST(shut.has_value());
    const bool back = co_await on.come_back();
    BOOST_TEST(back);
    auto third_far = co_await on.server->accept();
    const std::string heard = co_await read_some(**third_far, 5);
    BOOST_TEST(heard == "hello");
    const auto got = co_await (*second_far)->read();
    BOOST_TEST((got.error() == errc::unreachable));
    const std::string rest = co_await read_all(*on.far);
    BOOST_TEST(rest == "");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(when_the_window_is_over_the_session_ends_with_why_the_carrier_was_lost) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor, 30ms);
    on.start();
    co_await on.connect();
    on.cut();
    const auto got = co_await on.near->read();
    BOOST_TEST((got.error() == asio::error::connection_reset));
    co_await on.sessions.join();
    BOOST_TEST((on.client_end.value() == asio::error::connection_reset));
    BOOST_TEST((on.server_end.value() == errc::reset));
    const bool waits = co_await on.client->lost();
    BOOST_TEST(!waits);
    auto late = make_memory_pair(on.where);
    BOOST_TEST(!on.client->attach(std::move(late.a), 0));
  });
}

BOOST_AUTO_TEST_CASE(an_end_in_good_order_is_the_end) {
  for (const bool by_close : {true, false}) {
    run([by_close](log_capture&) -> asio::awaitable<void> {
      resume_bench on(co_await asio::this_coro::executor, 60s);
      on.start();
      co_await on.connect();
      if (by_close)
        on.server->close(errc::shutting_down);
      else
        on.pair.at_a->cut();
      const auto got = co_await on.near->read();
      BOOST_TEST(got.has_error());
      const bool waits = co_await on.client->lost();
      BOOST_TEST(!waits);
      BOOST_TEST((on.client->open().error() == errc::closed));
      on.server->abort(errc::closed);
      co_await on.sessions.join();
    });
  }
}

BOOST_AUTO_TEST_CASE(a_session_that_waits_is_closed_at_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor, 60s);
    on.start();
    on.cut();
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    const auto begin = std::chrono::steady_clock::now();
    on.client->close(errc::closed);
    on.server->abort(errc::closed);
    co_await on.sessions.join();
    BOOST_CHECK(std::chrono::steady_clock::now() - begin < 500ms);
    BOOST_TEST((on.client_end.value() == errc::closed));
  });
}

BOOST_AUTO_TEST_CASE(a_count_that_cannot_be_ends_the_session) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    on.cut();
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    auto pair = make_memory_pair(on.where);
    BOOST_TEST(!on.client->serves(1'000'000));
    BOOST_TEST(!on.client->attach(std::move(pair.a), 1'000'000));
    on.server->abort(errc::closed);
    co_await on.sessions.join();
    BOOST_TEST((on.client_end.value() == errc::broken_frame));
  });
}

BOOST_AUTO_TEST_CASE(nothing_more_is_heard_of_a_fenced_carrier) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    co_await yield(10);
    on.pair.at_b->stall(step::read);
    error_code said;
    on.tasks.spawn("writer", write_to(*on.near, "under way", said));
    co_await on.tasks.join();
    const std::uint64_t before = on.server->received();
    const bool fenced = co_await on.server->fence();
    BOOST_TEST(fenced);
    BOOST_CHECK(on.pair.at_b->closed() == net::ending::abort);
    BOOST_TEST(on.server->received() == before);
    const bool back = co_await on.come_back();
    BOOST_TEST(back);
    const std::string heard = co_await read_some(*on.far, 9);
    BOOST_TEST(heard == "under way");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_carrier_that_nobody_was_on_yet_can_be_fenced) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    on.cut();
    for (int i = 0; i < 3; ++i) {
      const bool back = co_await on.come_back();
      BOOST_TEST(back);
      const bool client_waits = co_await on.client->fence(); // in the same turn
      BOOST_TEST(client_waits);
    }
    const bool back = co_await on.come_back();
    BOOST_TEST(back);
    error_code said;
    on.tasks.spawn("writer", write_to(*on.near, "hello", said));
    const std::string heard = co_await read_some(*on.far, 5);
    BOOST_TEST(heard == "hello");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_silent_carrier_is_lost_within_two_seconds_when_data_waits) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    co_await pause(700ms);           // its last word was the acknowledgement of the stream
    on.pair.at_b->stall(step::read); // alive, but deaf
    const auto begin = std::chrono::steady_clock::now();
    error_code said;
    on.tasks.spawn("writer", write_to(*on.near, "anybody?", said));
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    BOOST_TEST((on.client->loss() == errc::peer_silent));
    BOOST_CHECK(std::chrono::steady_clock::now() - begin < 2s);
    const bool back = co_await on.come_back();
    BOOST_TEST(back);
    const std::string heard = co_await read_some(*on.far, 8);
    BOOST_TEST(heard == "anybody?");
    // A peer that hears but has nothing to say acknowledges, and is not doubted.
    co_await pause(1800ms);
    BOOST_TEST(!on.client->waiting());
    BOOST_TEST(on.carriers == 2);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_doubted_carrier_is_lost_within_a_second_or_shows_that_it_lives) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    co_await pause(20ms);
    on.client->doubt_carrier();
    co_await pause(1100ms);
    BOOST_TEST(!on.client->waiting());
    on.pair.at_b->stall(step::read);
    const auto begin = std::chrono::steady_clock::now();
    on.client->doubt_carrier();
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    BOOST_CHECK(std::chrono::steady_clock::now() - begin < 1500ms);
    on.client->abort(errc::closed);
    on.server->abort(errc::closed);
    co_await on.sessions.join();
  });
}

BOOST_AUTO_TEST_CASE(a_run_that_is_cancelled_while_it_waits_leaves_nothing_behind) {
  run([](log_capture&) -> asio::awaitable<void> {
    resume_bench on(co_await asio::this_coro::executor, 60s);
    on.start();
    co_await on.connect();
    on.cut();
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    on.sessions.cancel();
    co_await on.sessions.join();
    BOOST_TEST(on.client->ended());
  });
}

BOOST_AUTO_TEST_SUITE_END()
