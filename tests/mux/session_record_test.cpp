// A session that goes on in another process: here, in another object.
#include "mux/bench.hpp"

#include <boost/asio/error.hpp>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

constexpr duration window = 10s;

asio::awaitable<void> run_session(mux::session_ptr which) { (void)co_await which->run(); }

/// What another process makes of the record.
mux::session_ptr loaded_from(const net::executor& where, record_reader& from) {
  auto made = std::make_shared<mux::session>(where, nullptr, mux_config(wire::smux_role::server), window);
  BOOST_TEST(made->load(from).has_value());
  return made;
}

/// The session of the bench's server as another process has it, and the client on a carrier to that one.
struct successor {
  /// Of the server as it is now, and the stream at its end if `with_stream`; that lets go of them.
  asio::awaitable<void> take_over(mux_bench& on, bool with_stream) {
    record_writer to;
    on.server->save(to);
    if (with_stream) on.far->save(to);
    const auto bytes = to.take();
    on.server->abort(errc::handed_over);
    const bool lost = co_await on.client->lost();
    BOOST_TEST(lost);
    const auto where = co_await asio::this_coro::executor;
    record_reader from(bytes);
    session = loaded_from(where, from);
    BOOST_TEST(session->waiting());
    if (with_stream) {
      auto loaded = session->load_stream(from);
      BOOST_TEST_REQUIRE(loaded.has_value());
      stream = std::move(loaded->stream);
      unsent = as_text(loaded->unsent);
    }
    BOOST_TEST(from.whole());
    session->drop_unclaimed();
    on.sessions.spawn("next", run_session(session));
    auto carrier = make_memory_pair(where);
    BOOST_TEST(on.client->attach(std::move(carrier.a), session->received()));
    BOOST_TEST(session->attach(std::move(carrier.b), on.client->received()));
  }

  mux::session_ptr session;
  mux::mux_stream_ptr stream;
  std::string unsent;
};

} // namespace

BOOST_AUTO_TEST_SUITE(session_record_test)

BOOST_AUTO_TEST_CASE(streams_go_on_with_what_was_read_and_unread_and_unsent) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    mux_bench on(where, mux_config(wire::smux_role::client), mux_config(wire::smux_role::server), window);
    on.start();
    co_await on.connect();
    error_code near_wrote, far_wrote;
    // More than the window: the client's reader has read nothing yet, so some of it is unsent.
    const std::string down(400'000, 'd');
    on.tasks.spawn("far", write_to(*on.far, down, far_wrote));
    on.tasks.spawn("near", write_to(*on.near, "hello there", near_wrote));
    const std::string heard = co_await read_some(*on.far, 6);
    BOOST_TEST(heard == "hello ");
    co_await until([&] { return on.far->unread() == 5; });
    co_await yield(20);

    BOOST_TEST(on.far->alive());
    successor next;
    co_await next.take_over(on, true);
    BOOST_TEST(next.unsent.size() > 0U);
    BOOST_TEST(next.unsent.size() < down.size());
    error_code wrote;
    on.tasks.spawn("rest", write_to(*next.stream, next.unsent, wrote));
    const std::string rest = co_await read_some(*next.stream, 5);
    BOOST_TEST(rest == "there");
    const std::string all = co_await read_some(*on.near, down.size());
    BOOST_TEST((all == down));
    next.stream->close(net::ending::abort);
    on.near->close(net::ending::abort);
    on.far.reset();
    co_await on.tasks.join();
    next.stream.reset();
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(what_the_kernel_had_already_taken_is_not_read_again) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    mux_bench on(where, mux_config(wire::smux_role::client), mux_config(wire::smux_role::server), window);
    on.start();
    co_await on.connect();
    error_code wrote;
    const std::string up(100'000, 'u');
    on.tasks.spawn("near", write_to(*on.near, up + "end", wrote));
    co_await until([&] { return on.far->unread() == up.size() + 3; });
    record_writer to;
    on.server->save(to);
    on.far->save(to);
    const auto bytes = to.take();
    record_reader from(bytes);
    auto next = loaded_from(where, from);
    auto stream = next->load_stream(from);
    BOOST_TEST_REQUIRE(stream.has_value());
    stream->stream->skip(up.size());
    const std::string rest = co_await read_some(*stream->stream, 3);
    BOOST_TEST(rest == "end");
    stream->stream.reset();
    next->abort(errc::closed);
    on.far.reset();
    on.near.reset();
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_stream_that_nobody_claims_is_reset_and_one_that_does_not_exist_is_refused) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    mux_bench on(where, mux_config(wire::smux_role::client), mux_config(wire::smux_role::server), window);
    on.start();
    co_await on.connect();
    error_code wrote;
    on.tasks.spawn("near", write_to(*on.near, "hello", wrote));
    co_await until([&] { return on.far->unread() == 5; });
    successor next;
    co_await next.take_over(on, false);
    record_writer strange;
    strange.put(std::uint32_t{77});
    const auto strange_bytes = strange.take();
    record_reader stranger(strange_bytes);
    BOOST_TEST(!next.session->load_stream(stranger).has_value());
    const std::string nothing = co_await read_all(*on.near);
    BOOST_TEST(nothing == "<" + make_error_code(errc::reset).message() + ">");
    on.far.reset();
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
