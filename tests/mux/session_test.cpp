#include "gotunnel/mux/session.hpp"

#include "mux/bench.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

asio::awaitable<void> accept_until_error(mux::session& from, error_code& outcome) {
  for (;;) {
    auto next = co_await from.accept();
    if (!next) {
      outcome = next.error();
      co_return;
    }
  }
}

asio::awaitable<void> greet(mux::mux_stream_ptr on) {
  const std::string text = std::to_string(on->id());
  const auto sent = co_await on->write(as_bytes(text));
  BOOST_TEST(sent.has_value());
  const auto shut = co_await on->shut();
  BOOST_TEST(shut.has_value());
  const std::string back = co_await read_all(*on);
  BOOST_TEST(back == text);
}

asio::awaitable<void> answer(mux::mux_stream_ptr on) {
  const std::string text = co_await read_all(*on);
  const auto sent = co_await on->write(as_bytes(text));
  BOOST_TEST(sent.has_value());
  const auto shut = co_await on->shut();
  BOOST_TEST(shut.has_value());
}

} // namespace

BOOST_AUTO_TEST_SUITE(session_test)

BOOST_AUTO_TEST_CASE(a_thousand_streams_from_both_sides) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    for (int i = 0; i < 500; ++i) {
      for (const auto& side : {on.client, on.server}) {
        auto opened = side->open();
        BOOST_TEST_REQUIRE(opened.has_value());
        on.tasks.spawn("greet", greet(std::move(*opened)));
      }
    }
    for (int i = 0; i < 500; ++i) {
      for (const auto& side : {on.server, on.client}) {
        auto accepted = co_await side->accept();
        BOOST_TEST_REQUIRE(accepted.has_value());
        on.tasks.spawn("answer", answer(std::move(*accepted)));
      }
    }
    co_await on.tasks.join();
    BOOST_TEST(on.client->stream_count() == 0U);
    BOOST_TEST(on.server->stream_count() == 0U);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(close_sends_what_is_due_and_fails_the_streams) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    error_code outcome;
    on.tasks.spawn("last words", write_to(*on.near, "last words", outcome));
    co_await yield(3);
    on.client->close(errc::superseded);
    on.client->close(errc::closed); // the first reason counts
    const auto late = on.client->open();
    BOOST_TEST((late.error() == errc::superseded));
    const std::string seen = co_await read_all(*on.far);
    BOOST_TEST(seen.starts_with("last words<"));
    const auto got = co_await on.near->read();
    BOOST_TEST((got.error() == errc::superseded));
    error_code accepted;
    co_await accept_until_error(*on.server, accepted);
    BOOST_TEST((accepted == errc::closed));
    co_await on.finish();
    BOOST_TEST((on.client_end.value() == errc::superseded));
    BOOST_TEST((on.server_end.value() == errc::closed));
    BOOST_TEST(on.pair.at_a->shut());
    BOOST_TEST(on.client->ended());
    BOOST_TEST((on.client->open().error() == errc::superseded));
  });
}

BOOST_AUTO_TEST_CASE(close_does_not_wait_for_a_carrier_that_takes_nothing) {
  for (const step stuck : {step::write, step::wait_writable, step::shut}) {
    run([stuck](log_capture&) -> asio::awaitable<void> {
      mux_bench on(co_await asio::this_coro::executor);
      on.start();
      co_await on.connect();
      on.pair.at_a->stall(stuck);
      error_code outcome;
      on.tasks.spawn("writer", write_to(*on.near, "stuck", outcome));
      co_await yield(10);
      co_await on.finish();
      BOOST_TEST((on.client_end.value() == errc::closed));
    });
  }
}

BOOST_AUTO_TEST_CASE(abort_ends_at_once_and_sends_nothing) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    const std::uint64_t before = on.pair.at_a->written();
    error_code outcome;
    on.tasks.spawn("writer", write_to(*on.near, "too late", outcome));
    on.client->abort(errc::timed_out);
    co_await on.tasks.join();
    BOOST_TEST((outcome == errc::timed_out));
    co_await on.sessions.join();
    BOOST_TEST((on.client_end.value() == errc::timed_out));
    BOOST_TEST((on.server_end.value() == errc::reset));
    BOOST_CHECK(on.pair.at_a->closed() == net::ending::abort);
    BOOST_TEST(on.pair.at_a->written() <= before + 16);
  });
}

BOOST_AUTO_TEST_CASE(an_abort_while_the_carrier_becomes_writable_does_not_touch_the_streams_bytes) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    on.pair.at_a->stall(step::wait_writable);
    error_code outcome;
    on.tasks.spawn("writer", write_to(*on.near, std::string(100'000, 'x'), outcome));
    co_await yield(10);
    on.client->abort(errc::timed_out);
    on.pair.at_a->resume(step::wait_writable);
    co_await on.tasks.join();
    co_await on.sessions.join();
    BOOST_TEST((outcome == errc::timed_out));
  });
}

BOOST_AUTO_TEST_CASE(a_failure_of_the_carrier_at_any_step_ends_the_session_with_it) {
  for (const step which : {step::read, step::write, step::wait_writable}) {
    for (std::size_t nth = 1; nth <= 3; ++nth) {
      run([which, nth](log_capture&) -> asio::awaitable<void> {
        mux_bench on(co_await asio::this_coro::executor);
        on.pair.at_a->fail(which, nth, errc::broken_frame);
        auto stream = on.client->open(); // first: the first step of the carrier may come with the start
        on.start();
        error_code accepted;
        on.tasks.spawn("accept", accept_until_error(*on.server, accepted));
        for (;;) {
          const auto sent = co_await (*stream)->write(as_bytes("x"));
          if (!sent) break;
          // Makes the server say something too, so that reads happen.
          auto back = on.server->open();
          co_await yield(5);
        }
        co_await on.sessions.join();
        co_await on.tasks.join();
        BOOST_TEST((on.client_end.value() == errc::broken_frame));
        BOOST_TEST(!!accepted);
        const auto got = co_await (*stream)->read();
        // Whoever accepts drops the stream again; its reset may have come before the failure.
        BOOST_TEST((got.error() == errc::broken_frame || got.error() == errc::reset), got.error().message());
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(the_end_of_the_carrier_is_the_end_of_the_session) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    on.pair.at_a->cut();
    co_await on.sessions.join();
    BOOST_TEST((on.client_end.value() == errc::closed));
    const auto got = co_await on.near->read();
    BOOST_TEST((got.error() == errc::reset)); // closed, but not by whoever reads
  });
}

BOOST_AUTO_TEST_CASE(garbage_ends_the_session) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto pair = make_memory_pair(where);
    const auto session =
        std::make_shared<mux::session>(where, std::move(pair.a), mux_config(wire::smux_role::server));
    const auto sent = co_await pair.b->write(as_bytes("GET / HTTP/1.1\r\n\r\n"));
    BOOST_TEST(sent.has_value());
    const error_code why = co_await session->run();
    BOOST_TEST((why == errc::broken_frame));
  });
}

BOOST_AUTO_TEST_CASE(a_silent_peer_is_noticed_and_a_living_one_is_not) {
  run([](log_capture&) -> asio::awaitable<void> {
    auto for_client = mux_config(wire::smux_role::client);
    for_client.keepalive_interval = 20ms;
    for_client.keepalive_timeout = 400ms;
    auto for_server = for_client;
    for_server.role = wire::smux_role::server;
    mux_bench on(co_await asio::this_coro::executor, for_client, for_server);
    on.start();
    co_await pause(500ms);
    BOOST_TEST(!on.client->ended());
    BOOST_TEST(!on.server->ended());
    on.pair.at_b->stall(step::write); // alive, but not heard
    on.pair.at_b->stall(step::wait_writable);
    co_await until([&on] { return on.client->ended(); });
    co_await on.sessions.join();
    BOOST_TEST((on.client_end.value() == errc::peer_silent));
  });
}

BOOST_AUTO_TEST_CASE(a_worn_carrier_ends_the_session_in_good_order) {
  for (const bool at_once : {false, true}) {
    run([at_once](log_capture&) -> asio::awaitable<void> {
      auto for_client = mux_config(wire::smux_role::client);
      auto for_server = mux_config(wire::smux_role::server);
      for_server.keepalive_interval = 5ms;
      mux_bench on(co_await asio::this_coro::executor, for_client, for_server);
      on.start();
      co_await on.connect();
      auto second = on.client->open(); // beside a control stream
      auto accepted = co_await on.server->accept();
      (at_once ? on.pair.at_b->worn_out : on.pair.at_b->worn) = true;
      if (!at_once) {
        co_await pause(50ms);
        BOOST_TEST(!on.server_end.has_value());
        second->reset();
        accepted->reset();
      }
      co_await on.sessions.join();
      BOOST_TEST((on.server_end == errc::keys_worn));
      BOOST_TEST((on.client_end == errc::closed));
      BOOST_CHECK(on.pair.at_b->closed() == net::ending::graceful);
      on.near.reset();
      on.far.reset();
    });
  }
}

BOOST_AUTO_TEST_CASE(a_cancelled_run_ends_everything) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    error_code outcome;
    on.tasks.spawn("writer", write_to(*on.near, std::string(3'000'000, 'x'), outcome));
    co_await yield(20);
    on.sessions.cancel();
    co_await on.sessions.join();
    co_await on.tasks.join();
    BOOST_TEST((outcome == errc::shutting_down));
    BOOST_TEST(!on.client_end.has_value());
    BOOST_TEST(on.client->ended());
  });
}

BOOST_AUTO_TEST_CASE(a_run_cancelled_in_the_turn_in_which_it_ends_leaves_nothing_behind) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    on.client->abort(errc::closed);
    on.sessions.cancel();
    co_await on.sessions.join();
  });
}

BOOST_AUTO_TEST_SUITE_END()
