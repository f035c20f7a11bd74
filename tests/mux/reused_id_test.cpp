// A peer that opens a stream by the id of one that has ended, while the object of the ended one still exists.
#include "gotunnel/mux/session.hpp"

#include "mux/bench.hpp"
#include "support/smux_text.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using command = wire::smux_command;

namespace {

/// A session whose peer says whatever the test likes.
struct scripted_peer {
  explicit scripted_peer(const net::executor& where)
      : pair(make_memory_pair(where)),
        server(std::make_shared<mux::session>(where, std::move(pair.b), mux_config(wire::smux_role::server),
                                              duration::zero(), memory)),
        sessions(where, "test") {
    sessions.spawn("server", mux_bench::run(server, end));
  }
  asio::awaitable<void> say(std::string frames) {
    const auto said = co_await pair.a->write(as_bytes(frames));
    BOOST_TEST_REQUIRE(said.has_value());
    co_await yield(20);
  }
  asio::awaitable<mux::mux_stream_ptr> accept() {
    auto accepted = co_await server->accept();
    BOOST_TEST_REQUIRE(accepted.has_value());
    co_return std::move(*accepted);
  }
  asio::awaitable<void> finish() {
    server->abort(errc::closed);
    co_await sessions.join();
  }

  memory_budget memory;
  memory_pair pair;
  std::shared_ptr<mux::session> server;
  std::optional<error_code> end;
  net::task_group sessions;
};

} // namespace

BOOST_AUTO_TEST_SUITE(reused_id_test)

BOOST_AUTO_TEST_CASE(data_goes_to_the_new_stream_and_memory_is_counted_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    scripted_peer on(co_await asio::this_coro::executor);
    co_await on.say(frame(command::syn, 3) + frame(command::psh, 3, "former"));
    auto former = co_await on.accept();
    co_await on.say(rst(3, 0) + frame(command::syn, 3) + frame(command::psh, 3, "latter!"));
    auto latter = co_await on.accept();
    BOOST_TEST(as_text(latter->waiting()) == "latter!");
    BOOST_TEST(as_text(former->waiting()) == "former"); // it keeps what came before the reset
    former->consume(6);
    BOOST_TEST(on.server->stream_count() == 1U);
    const auto failed = co_await former->read();
    BOOST_TEST((failed.error() == errc::reset));
    former.reset();
    // The new one does not notice any of it.
    BOOST_TEST(on.server->stream_count() == 1U);
    co_await on.say(frame(command::psh, 3, " And more."));
    const std::string text = co_await read_some(*latter, 17);
    BOOST_TEST(text == "latter! And more.");
    BOOST_TEST(on.memory.waiting() == 0U);
    latter.reset();
    BOOST_TEST(on.server->stream_count() == 0U);
    co_await on.finish();
    BOOST_TEST(on.memory.waiting() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_stream_that_ended_both_ways_leaves_its_id_to_the_next) {
  run([](log_capture&) -> asio::awaitable<void> {
    scripted_peer on(co_await asio::this_coro::executor);
    co_await on.say(frame(command::syn, 3) + frame(command::fin, 3));
    auto former = co_await on.accept();
    const auto shut = co_await former->shut();
    BOOST_TEST(shut.has_value());
    co_await yield(20); // our FIN leaves, and the core has forgotten the stream
    co_await on.say(frame(command::syn, 3) + frame(command::psh, 3, "latter"));
    auto latter = co_await on.accept();
    const auto late = co_await former->write(as_bytes("late"));
    BOOST_TEST((late.error() == errc::closed));
    const auto end = co_await former->read();
    BOOST_TEST((end.has_value() && end->empty()));
    former.reset();
    const std::string text = co_await read_some(*latter, 6);
    BOOST_TEST(text == "latter");
    const auto sent = co_await latter->write(as_bytes("answer"));
    BOOST_TEST(sent.has_value());
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_write_that_waited_takes_nothing_back_from_the_new_stream) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    scripted_peer on(where);
    co_await on.say(frame(command::syn, 3) + update(3, 0, 0));
    auto former = co_await on.accept();
    net::task_group writers(where, "test");
    error_code of_former = errc::timed_out, of_latter = errc::timed_out;
    writers.spawn("former", write_to(*former, "without a window", of_former));
    co_await yield(20);
    co_await on.say(rst(3, 0) + frame(command::syn, 3) + update(3, 0, 0));
    auto latter = co_await on.accept();
    writers.spawn("latter", write_to(*latter, "and with one", of_latter));
    co_await yield(20);
    BOOST_TEST((of_former == errc::reset));
    co_await on.say(update(3, 0, 1000));
    co_await writers.join();
    BOOST_TEST(!of_latter);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
