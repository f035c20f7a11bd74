#include "gotunnel/mux/mux_stream.hpp"

#include "mux/bench.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using reason = wire::smux_reset_reason;

namespace {

/// More than a stream's first window.
constexpr std::size_t big = 3'000'000;

asio::awaitable<void> echo(net::stream& on) {
  for (;;) {
    const auto bytes = co_await on.read();
    if (!bytes) co_return;
    if (bytes->empty()) break;
    const auto sent = co_await on.write(*bytes);
    if (!sent) co_return;
    on.consume(bytes->size());
  }
  [[maybe_unused]] const auto shut = co_await on.shut();
}

asio::awaitable<void> send(net::stream& to, std::string text, bool shut) {
  const auto sent = co_await to.write(as_bytes(text));
  if (sent && shut) [[maybe_unused]]
    const auto done = co_await to.shut();
}

asio::awaitable<void> read_into(net::stream& from, std::string& text) { text = co_await read_all(from); }

} // namespace

BOOST_AUTO_TEST_SUITE(mux_stream_test)

BOOST_AUTO_TEST_CASE(bytes_go_and_come_whole_and_byte_by_byte) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, SIZE_MAX}) {
    run([piece](log_capture&) -> asio::awaitable<void> {
      mux_bench on(co_await asio::this_coro::executor);
      on.pair.at_a->piece = on.pair.at_b->piece = piece;
      on.start();
      co_await on.connect();
      on.tasks.spawn("echo", echo(*on.far));
      std::string text(piece == SIZE_MAX ? big : 3000, 'x');
      for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7 / 3);
      on.tasks.spawn("send", send(*on.near, text, true));
      const std::string back = co_await read_all(*on.near);
      BOOST_TEST((back == text));
      co_await on.tasks.join();
      on.near->close(net::ending::graceful);
      on.far->close(net::ending::graceful);
      on.near.reset();
      on.far.reset();
      co_await on.finish();
      BOOST_TEST(on.client->stream_count() == 0U);
      BOOST_TEST(on.server->stream_count() == 0U);
    });
  }
}

BOOST_AUTO_TEST_CASE(the_end_goes_and_comes_with_the_last_bytes) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    const auto batches = on.pair.at_a->calls(step::write);
    const auto sent = co_await on.near->write_last(as_bytes("bye"));
    BOOST_TEST(sent.has_value());
    const auto last = co_await on.far->read();
    BOOST_TEST(as_text(last.value()) == "bye");
    BOOST_TEST(as_text(on.far->waiting()) == "bye");
    BOOST_TEST(on.far->at_end());
    BOOST_TEST(on.pair.at_a->calls(step::write) == batches + 1);
    on.far->consume(3);
    const auto end = co_await on.far->read();
    BOOST_TEST(end.value().empty());
    const auto late = co_await on.near->write(as_bytes("more"));
    BOOST_TEST((late.error() == errc::closed));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(last_bytes_that_were_taken_back_are_no_end) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    const auto send_last = [](net::stream& to) -> asio::awaitable<void> {
      const std::string text(big, 'x');
      [[maybe_unused]] const auto sent = co_await to.write_last(as_bytes(text));
    };
    net::task_group writers(co_await asio::this_coro::executor, "test");
    writers.spawn("send", send_last(*on.near));
    const auto first = co_await on.far->read(); // the rest waits for window
    BOOST_TEST(!first->empty());
    writers.cancel();
    co_await writers.join();
    const std::string text = co_await read_all(*on.far);
    BOOST_TEST(text.size() < big);
    BOOST_TEST(text.ends_with("<reset by the peer>"));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_half_close_ends_one_direction) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    BOOST_TEST(on.near->peer() == "stream 3 of b");
    co_await send(*on.near, "question", true);
    const auto late = co_await on.near->write(as_bytes("more"));
    BOOST_TEST((late.error() == errc::closed));
    const std::string question = co_await read_all(*on.far);
    BOOST_TEST(question == "question");
    const auto again = co_await on.far->read();
    BOOST_TEST(again.value().empty());
    co_await send(*on.far, "answer", true);
    const std::string answer = co_await read_all(*on.near);
    BOOST_TEST(answer == "answer");
    const auto nothing = co_await on.near->write(bytes_view());
    BOOST_TEST(nothing.has_value());
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_reset_arrives_with_its_reason_behind_the_bytes) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    const std::vector<std::pair<reason, errc>> reasons{{reason::unreachable, errc::unreachable},
                                                       {reason::too_many_streams, errc::too_many_streams},
                                                       {reason::not_read, errc::not_read}};
    for (const auto& [why, meaning] : reasons) {
      co_await on.connect();
      co_await send(*on.near, "last words", false);
      on.near->reset(why);
      const auto own = co_await on.near->read();
      BOOST_TEST((own.error() == errc::closed));
      const std::string seen = co_await read_all(*on.far);
      BOOST_TEST(seen == "last words<" + make_error_code(meaning).message() + ">");
      const auto sent = co_await on.far->write(as_bytes("x"));
      BOOST_TEST((sent.error() == meaning));
    }
    // The other way round, by dropping the stream.
    co_await on.connect();
    on.far.reset();
    const std::string seen = co_await read_all(*on.near);
    BOOST_TEST(seen == "<reset by the peer>");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_peer_without_resets_gets_an_end_instead) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor, false);
    on.start();
    co_await on.connect();
    co_await send(*on.near, "last words", false);
    on.near->reset(reason::unreachable);
    const std::string seen = co_await read_all(*on.far);
    BOOST_TEST(seen == "last words");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_peer_that_forgot_the_stream_ends_our_write_and_not_what_its_reader_holds) {
  run([](log_capture&) -> asio::awaitable<void> {
    auto near_config = mux_config(wire::smux_role::client, false);
    near_config.forgotten_after = 20ms;
    mux_bench on(co_await asio::this_coro::executor, near_config, mux_config(wire::smux_role::server, false));
    on.start();
    co_await on.connect();
    co_await send(*on.near, "x", false);
    co_await send(*on.far, "last words", true);
    const auto held = co_await on.near->read();
    BOOST_TEST(as_text(held.value()) == "last words");
    // The peer reads nothing any more: more than its window can never leave.
    const std::string much(big, 'x');
    const auto written = co_await on.near->write(as_bytes(much));
    BOOST_TEST((written.error() == errc::reset));
    BOOST_TEST(as_text(held.value()) == "last words");
    on.near->consume(held->size());
    const auto end = co_await on.near->read();
    BOOST_TEST(end.value().empty());
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(closing_before_both_ends_came_is_a_reset) {
  for (const bool shut : {false, true}) {
    run([shut](log_capture&) -> asio::awaitable<void> {
      mux_bench on(co_await asio::this_coro::executor);
      on.start();
      co_await on.connect();
      co_await send(*on.near, "x", shut);
      on.near->close(net::ending::graceful);
      on.near->close(net::ending::abort);
      const std::string seen = co_await read_all(*on.far);
      // Between two gotunnels a shut direction has ended before the reset comes.
      BOOST_TEST((seen == "x<reset by the peer>" || (shut && seen == "x")));
      co_await on.finish();
    });
  }
}

BOOST_AUTO_TEST_CASE(a_cancelled_write_takes_its_bytes_back) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    mux_bench on(where);
    on.start();
    co_await on.connect();
    // The peer does not read: the window fills and the write waits with bytes on offer.
    net::task_group writers(where, "test");
    writers.spawn("writer", send(*on.near, std::string(big, 'x'), false));
    co_await yield(50);
    BOOST_TEST(writers.size() == 1U);
    writers.cancel();
    co_await writers.join();
    // Those bytes are gone: what follows is what is written next, and nothing reads freed memory.
    on.tasks.spawn("send", send(*on.near, "END", true));
    const std::string seen = co_await read_all(*on.far);
    BOOST_TEST(seen.size() < big);
    BOOST_TEST(seen.ends_with("xEND"));
    BOOST_TEST(seen.find("END") == seen.size() - 3);
    co_await on.tasks.join();
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_waiting_write_ends_when_the_stream_is_reset_by_either_side) {
  for (const bool by_peer : {false, true}) {
    run([by_peer](log_capture&) -> asio::awaitable<void> {
      mux_bench on(co_await asio::this_coro::executor);
      on.start();
      co_await on.connect();
      error_code outcome;
      on.tasks.spawn("writer", write_to(*on.near, std::string(big, 'x'), outcome));
      co_await yield(50);
      BOOST_TEST(on.tasks.size() == 1U);
      (by_peer ? on.far : on.near)->close(net::ending::abort);
      co_await on.tasks.join();
      BOOST_TEST((outcome == (by_peer ? errc::reset : errc::closed)));
      co_await on.finish();
    });
  }
}

BOOST_AUTO_TEST_CASE(a_slow_stream_does_not_hold_up_another) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    const auto slow_near = std::move(on.near);
    const auto slow_far = std::move(on.far);
    on.tasks.spawn("unread", send(*slow_near, std::string(big, 's'), true));
    co_await yield(50);
    co_await on.connect();
    on.near->prioritize();
    on.tasks.spawn("echo", echo(*on.far));
    on.tasks.spawn("send", send(*on.near, std::string(big, 'f'), true));
    const std::string back = co_await read_all(*on.near);
    BOOST_TEST(back.size() == big);
    std::string slow;
    on.tasks.spawn("read", read_into(*slow_far, slow));
    co_await on.tasks.join();
    BOOST_TEST(slow.size() == big);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_stream_outlives_its_session_in_error) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    co_await send(*on.near, "arrived", false);
    const std::string first = co_await read_some(*on.far, 1);
    co_await on.finish();
    on.client.reset();
    on.server.reset();
    const std::string rest = co_await read_all(*on.far);
    BOOST_TEST(first + rest == "arrived<reset by the peer>");
    const auto sent = co_await on.near->write(as_bytes("x"));
    BOOST_TEST(sent.has_error());
    const auto shut = co_await on.near->shut();
    BOOST_TEST(shut.has_error());
    on.near->close(net::ending::abort);
  });
}

BOOST_AUTO_TEST_SUITE_END()
