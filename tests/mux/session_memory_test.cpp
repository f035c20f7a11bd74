// What a session does when its memory, or the process's, is full.
#include "gotunnel/mux/session.hpp"

#include "gotunnel/base/counters.hpp"

#include "mux/bench.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;

BOOST_AUTO_TEST_SUITE(session_memory_test)

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
