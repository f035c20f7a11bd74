// A stream of a session that is given sources; with bytes it is in mux_stream_test.cpp.
#include "gotunnel/mux/mux_stream.hpp"

#include "mux/bench.hpp"

#include "support/scripted_source.hpp"

#include <boost/asio/error.hpp>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

constexpr std::size_t first_window = 256 * 1024;

asio::awaitable<void> discard(net::stream& from) {
  for (;;) {
    const auto bytes = co_await from.read();
    if (!bytes || bytes->empty()) co_return;
    from.consume(bytes->size());
  }
}

/// Where bytes would wait, only bytes do.
asio::awaitable<void> look_at(scripted_source& source, net::stream& to) {
  const auto nothing = co_await to.write_from(source);
  BOOST_TEST((nothing.value().count == 0U && !nothing->last));
  source.fails = true;
  const auto failed = co_await to.write_from(source);
  BOOST_TEST((failed.value().count == 0U && !failed->last));
  source.end();
  const auto ended = co_await to.write_from(source);
  BOOST_TEST(ended.value().last);
  BOOST_TEST(source.rooms.empty());
}

} // namespace

BOOST_AUTO_TEST_SUITE(mux_stream_source_test)

BOOST_AUTO_TEST_CASE(a_source_is_written_and_its_end_told) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    scripted_source source;
    const auto nothing = co_await on.near->write_from(source);
    BOOST_TEST(nothing.value().count == 0U);
    BOOST_TEST(!nothing->last);
    source.add("hello ").end("and bye");
    const auto first = co_await on.near->write_from(source);
    BOOST_TEST(first.value().count == 6U);
    BOOST_TEST(!first->last);
    const auto last = co_await on.near->write_from(source);
    BOOST_TEST(last.value().count == 7U);
    BOOST_TEST(last->last);
    const std::string text = co_await read_all(*on.far);
    BOOST_TEST(text == "hello and bye");
    // Whoever goes on with the stream elsewhere meets the end once more.
    const auto again = co_await on.near->write_from(source);
    BOOST_TEST(again.value().last);
    source.add("more");
    const auto late = co_await on.near->write_from(source);
    BOOST_TEST((late.error() == errc::closed));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_source_waits_for_the_window_and_is_taken_back) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    scripted_source source;
    source.add(std::string(3'000'000, 'x'));
    std::size_t sent = 0;
    const auto keep_writing = [](net::stream& to, byte_source& from,
                                 std::size_t& count) -> asio::awaitable<void> {
      for (;;) {
        const auto taken = co_await to.write_from(from);
        if (!taken) co_return;
        count += taken->count;
      }
    };
    net::task_group writers(co_await asio::this_coro::executor, "test");
    writers.spawn("write", keep_writing(*on.near, source, sent));
    co_await yield(50);
    BOOST_TEST(sent == first_window);
    writers.cancel();
    co_await writers.join();
    const std::size_t asked = source.rooms.size();
    on.tasks.spawn("read", discard(*on.far));
    co_await yield(50);
    BOOST_TEST(source.rooms.size() == asked);
    on.near->close(net::ending::graceful);
    co_await on.tasks.join();
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(without_a_window_a_source_is_looked_at) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    const std::string all(first_window, 'x');
    const auto sent = co_await on.near->write(as_bytes(all));
    BOOST_TEST(sent.has_value());
    scripted_source source;
    co_await look_at(source, *on.near);
    const std::string text = co_await read_all(*on.far);
    BOOST_TEST((text == all));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_stream_that_fails_asks_its_source_no_more) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor);
    on.start();
    co_await on.connect();
    on.pair.at_a->stall(step::wait_writable);
    scripted_source source;
    source.add("hello");
    std::optional<error_code> failure;
    const auto write = [](net::stream& to, byte_source& from,
                          std::optional<error_code>& why) -> asio::awaitable<void> {
      const auto taken = co_await to.write_from(from);
      if (!taken) why = taken.error();
    };
    on.tasks.spawn("write", write(*on.near, source, failure));
    co_await yield(10);
    BOOST_TEST(!failure.has_value());
    on.near->reset(wire::smux_reset_reason::aborted);
    co_await on.tasks.join();
    BOOST_TEST((failure == errc::closed));
    on.pair.at_a->resume(step::wait_writable);
    co_await yield(10);
    BOOST_TEST(source.rooms.empty());
    const auto late = co_await on.near->write_from(source);
    BOOST_TEST((late.error() == errc::closed));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(without_a_carrier_a_source_is_looked_at) {
  run([](log_capture&) -> asio::awaitable<void> {
    mux_bench on(co_await asio::this_coro::executor, mux_config(wire::smux_role::client),
                 mux_config(wire::smux_role::server), 10s);
    on.start();
    co_await on.connect();
    on.pair.at_a->cut(asio::error::connection_reset);
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    scripted_source source;
    co_await look_at(source, *on.near);
    on.client->close(errc::closed);
    on.server->abort(errc::closed);
    co_await on.sessions.join();
  });
}

BOOST_AUTO_TEST_SUITE_END()
