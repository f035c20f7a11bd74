#include "gotunnel/mux/session.hpp"

#include "gotunnel/base/counters.hpp"

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

// Readers that do not read cost themselves their streams, and nobody else the session.
BOOST_AUTO_TEST_CASE(streams_that_nobody_reads_are_reset_and_the_others_go_on) {
  run([](log_capture& log) -> asio::awaitable<void> {
    auto for_server = mux_config(wire::smux_role::server);
    for_server.memory_budget = 1'000'000;
    for_server.not_read_after = 300ms; // long enough for the writers to send all that they may
    mux_bench on(co_await asio::this_coro::executor, mux_config(wire::smux_role::client), for_server);
    on.start();
    const auto before = counters::value(counter::streams_not_read);
    std::vector<mux::mux_stream_ptr> near, far;
    std::array<error_code, 4> outcomes;
    int told = 0;
    for (error_code& outcome : outcomes) {
      co_await on.connect();
      on.tasks.spawn("writer", write_to(*on.near, std::string(300'000, 'x'), outcome));
      on.far->on_failure([&told] { ++told; });
      near.push_back(std::move(on.near));
      far.push_back(std::move(on.far));
    }
    // Lent before the reset, so it must stay what it is.
    const auto lent = co_await far[0]->read();
    BOOST_TEST_REQUIRE(lent.has_value());
    co_await until([&] { return counters::value(counter::streams_not_read) > before; });
    const auto reset = counters::value(counter::streams_not_read) - before;
    BOOST_TEST(reset == 2U); // 256 KiB each: less than three quarters are left
    BOOST_TEST(told == 2);
    BOOST_TEST(std::count(lent->begin(), lent->end(), std::byte{'x'}) ==
               static_cast<std::ptrdiff_t>(lent->size()));
    log.expect("streams that were not read are reset");
    std::size_t failed = 0, whole = 0;
    for (std::size_t i = 0; i < far.size(); ++i) {
      const std::string text = co_await read_some(*far[i], 300'000);
      if (text.size() == 300'000) {
        ++whole;
        continue;
      }
      ++failed;
      const auto end = co_await far[i]->read();
      BOOST_TEST((end.error() == errc::not_read));
      co_await until([&] { return static_cast<bool>(outcomes[i]); });
      BOOST_TEST((outcomes[i] == errc::not_read));
    }
    BOOST_TEST(failed == 2U);
    BOOST_TEST(whole == 2U);
    co_await on.tasks.join();
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(when_the_process_is_short_of_memory_a_session_waits_for_the_others) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    memory_budget memory;
    memory.set_limit(2'100'000);
    const memory_budget::share idle[2] = {memory_budget::share(memory), memory_budget::share(memory)};
    std::optional<memory_budget::share> other(std::in_place, memory);
    mux_bench on(where);
    auto pair = make_memory_pair(where);
    auto patient = mux_config(wire::smux_role::server);
    patient.not_read_after = 1h;
    const auto receiver =
        std::make_shared<mux::session>(where, std::move(pair.b), patient, duration::zero(), memory);
    const auto sender =
        std::make_shared<mux::session>(where, std::move(pair.a), mux_config(wire::smux_role::client));
    std::optional<error_code> ends[2];
    on.sessions.spawn("receiver", mux_bench::run(receiver, ends[0]));
    on.sessions.spawn("sender", mux_bench::run(sender, ends[1]));
    std::vector<mux::mux_stream_ptr> near, far;
    std::array<error_code, 4> outcomes;
    for (int i = 0; i < 4; ++i) {
      near.push_back(std::move(*sender->open()));
      auto accepted = co_await receiver->accept();
      BOOST_TEST_REQUIRE(accepted.has_value());
      far.push_back(std::move(*accepted));
    }
    // These streams began while memory was free, with whole windows.
    other->report(2'000'000);
    for (std::size_t i = 0; i < near.size(); ++i)
      on.tasks.spawn("writer", write_to(*near[i], std::string(250'000, 'x'), outcomes[i]));
    const auto arrived = [&]() -> std::uint64_t { return memory.waiting() - 2'000'000; };
    co_await until([&] { return arrived() >= 450'000; });
    co_await yield(200);
    BOOST_TEST(arrived() < 850'000U); // its equal part, a quarter, and one batch of the carrier
    other.reset();
    co_await until([&] { return memory.waiting() >= 960'000; }); // nobody here read anything: it looked again
    for (const auto& each : far) {
      const std::string text = co_await read_some(*each, 250'000);
      BOOST_TEST(text.size() == 250'000U);
    }
    co_await on.tasks.join();
    BOOST_TEST(memory.waiting() == 0U);
    sender->close(errc::closed);
    co_await on.sessions.join();
  });
}

BOOST_AUTO_TEST_CASE(over_its_budget_it_reads_no_more_until_some_of_it_is_drained) {
  run([](log_capture&) -> asio::awaitable<void> {
    auto for_server = mux_config(wire::smux_role::server);
    for_server.memory_budget = 300'000;
    for_server.not_read_after = 1h;
    mux_bench on(co_await asio::this_coro::executor, mux_config(wire::smux_role::client), for_server);
    on.start();
    std::vector<mux::mux_stream_ptr> near, far;
    std::array<error_code, 4> outcomes;
    for (error_code& outcome : outcomes) {
      co_await on.connect();
      on.tasks.spawn("writer", write_to(*on.near, std::string(200'000, 'x'), outcome));
      near.push_back(std::move(on.near));
      far.push_back(std::move(on.far));
      co_await yield(20);
      // The carrier is only as blocked as the budget says: a stream opened now waits.
      if (near.size() == 2) break;
    }
    co_await yield(50);
    for (const auto& each : far) {
      const std::string text = co_await read_some(*each, 200'000);
      BOOST_TEST(text.size() == 200'000U);
    }
    co_await on.connect(); // reading goes on
    co_await on.tasks.join();
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
