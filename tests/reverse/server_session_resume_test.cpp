// A session of the server whose client comes back, or pretends to.
#include "gotunnel/reverse/server_session.hpp"

#include "reverse/book_bench.hpp"
#include "support/memory_stream.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

/// A resumable session, and a bare multiplexer in the client's place.
struct bench {
  explicit bench(const net::executor& at, duration window = 10s)
      : where(at), pair(make_memory_pair(at)), tasks(at, "test"),
        ports(at, {{asio::ip::address_v4::loopback()}, allow("1-65535")}), sessions(at) {
    link::admitted peer;
    peer.carrier = std::move(pair.b);
    peer.native = true;
    peer.capabilities = static_cast<std::uint32_t>(wire::capability::stream_reset);
    peer.hello.client = peer_number(1);
    peer.hello.instance = peer_number(2);
    peer.session = peer_number(3);
    peer.resume_window = window;
    session = std::make_shared<server_session>(at, at, ports, std::move(peer));
    sessions.add(session->id(), session);
    wire::smux_config config;
    config.resets = config.resumable = true;
    client = std::make_shared<mux::session>(at, std::move(pair.a), config, window);
    tasks.spawn("server", serve());
    tasks.spawn("client", run_client());
    control = std::move(*client->open());
  }
  asio::awaitable<void> serve() {
    co_await session->run();
    ended = true;
  }
  asio::awaitable<void> run_client() { client_end = co_await client->run(); }

  asio::awaitable<std::uint16_t> bind() {
    const std::string request = wire::encode(wire::bind_request{1, 0});
    const auto sent = co_await control->write(as_bytes(request));
    BOOST_TEST(sent.has_value());
    const auto line = co_await link::read_line(*control, 16 * 1024);
    wire::control_reader reader;
    BOOST_TEST_REQUIRE((line.has_value() && reader.feed(as_bytes(*line)).has_value()));
    const auto message = reader.next();
    const auto* bound = std::get_if<wire::bound_answer>(&message.value().value());
    BOOST_TEST_REQUIRE(bound != nullptr);
    co_return bound->port;
  }

  wire::client_hello hello(std::uint32_t generation) const {
    wire::client_hello asks;
    asks.client = peer_number(1);
    asks.instance = peer_number(2);
    asks.session = peer_number(3);
    asks.generation = generation;
    asks.received = client->received();
    return asks;
  }
  void cut() { pair.at_a->cut(errc::tls_failure); }

  /// The client's part, whole: true when it was let in.
  asio::awaitable<bool> come_back(std::uint32_t generation) {
    const bool waits = co_await client->lost();
    BOOST_TEST_REQUIRE(waits);
    const wire::client_hello asks = hello(generation);
    auto on = co_await sessions.ask(asks);
    if (!on) co_return false;
    pair = make_memory_pair(where);
    BOOST_TEST(client->attach(std::move(pair.a), on->received));
    on->go_on(std::move(pair.b));
    co_return true;
  }
  asio::awaitable<void> finish() {
    client->close(errc::closed);
    session->stop(0s);
    co_await tasks.join();
    ports.close();
    co_await ports.join();
  }

  net::executor where;
  memory_pair pair;
  net::task_group tasks;
  port_book ports;
  resume_book sessions;
  std::shared_ptr<server_session> session;
  mux::session_ptr client;
  mux::mux_stream_ptr control;
  error_code client_end;
  bool ended = false;
};

} // namespace

BOOST_AUTO_TEST_SUITE(server_session_resume_test)

BOOST_AUTO_TEST_CASE(a_client_that_comes_back_finds_its_session_and_its_port) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    const auto port = co_await on.bind();
    const auto visitor = loopback_socket::connect(port);
    visitor.write("hello");
    for (std::uint32_t generation = 1; generation <= 3; ++generation) {
      on.cut();
      const bool back = co_await on.come_back(generation);
      BOOST_TEST(back);
    }
    auto stream = co_await on.client->accept();
    BOOST_TEST_REQUIRE(stream.has_value());
    const auto bytes = co_await (*stream)->read();
    BOOST_TEST(bytes.has_value());
    const auto second = loopback_socket::connect(port);
    co_await on.finish();
    BOOST_TEST(on.ended);
  });
}

BOOST_AUTO_TEST_CASE(it_may_come_back_before_the_server_has_missed_it) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    const auto port = co_await on.bind();
    on.pair.at_b->stall(step::read); // hears nothing, the end of the carrier included
    on.cut();
    const bool back = co_await on.come_back(1);
    BOOST_TEST(back);
    const auto visitor = loopback_socket::connect(port);
    auto stream = co_await on.client->accept();
    BOOST_TEST(stream.has_value());
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(nobody_else_gets_the_session) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    (void)co_await on.bind();
    on.cut();
    const bool first = co_await on.come_back(5);
    BOOST_TEST(first);
    auto other_client = on.hello(6);
    other_client.client = peer_number(9);
    auto other_process = on.hello(6);
    other_process.instance = peer_number(9);
    auto unknown = on.hello(6);
    unknown.session = peer_number(9);
    const auto late = on.hello(5); // an attempt that was overtaken
    const std::vector<wire::client_hello> wrong{other_client, other_process, unknown, late};
    for (const auto& each : wrong) {
      const auto on_with = co_await on.sessions.ask(each);
      BOOST_TEST(!on_with.has_value());
    }
    BOOST_TEST(!on.client->waiting()); // it was not even disturbed
    on.cut();
    const bool again = co_await on.come_back(6);
    BOOST_TEST(again);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_count_that_cannot_be_served_ends_the_session) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    (void)co_await on.bind();
    on.cut();
    auto asks = on.hello(1);
    asks.received += 1'000'000;
    const auto on_with = co_await on.sessions.ask(asks);
    BOOST_TEST(!on_with.has_value());
    co_await until([&] { return on.ended; });
    const auto too_late = co_await on.come_back(2);
    BOOST_TEST(!too_late);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(of_two_attempts_the_later_one_counts) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    (void)co_await on.bind();
    on.cut();
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    const auto first_hello = on.hello(1);
    auto first = co_await on.sessions.ask(first_hello);
    BOOST_TEST_REQUIRE(first.has_value());
    const bool second = co_await on.come_back(2);
    BOOST_TEST(second);
    auto stale = make_memory_pair(on.where);
    first->go_on(std::move(stale.b));
    co_await yield(5);
    BOOST_CHECK(stale.at_b->closed().has_value());
    const std::string ping = wire::encode(wire::ping_message{9});
    const auto sent = co_await on.control->write(as_bytes(ping));
    BOOST_TEST(sent.has_value());
    const auto answer = co_await link::read_line(*on.control, 16 * 1024);
    BOOST_TEST(answer.value().find("pong") != std::string::npos);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_copy_that_asks_whether_it_lives_hears_no_while_it_is_away) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    (void)co_await on.bind();
    on.cut();
    const bool waits = co_await on.client->lost();
    BOOST_TEST(waits);
    co_await yield(10);
    std::optional<bool> alive;
    on.session->ping(10s, [&](bool yes) { alive = yes; });
    BOOST_TEST((alive.has_value() && !*alive));
    const auto begin = std::chrono::steady_clock::now();
    co_await on.finish(); // nothing waits for the window
    BOOST_CHECK(std::chrono::steady_clock::now() - begin < 2s);
  });
}

BOOST_AUTO_TEST_CASE(a_client_that_has_said_goodbye_is_not_waited_for) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    const auto port = co_await on.bind();
    auto visitor = loopback_socket::connect(port);
    auto stream = co_await on.client->accept();
    BOOST_TEST_REQUIRE(stream.has_value());
    const std::string bye = wire::encode(wire::bye_message{"the client is stopping"});
    const auto said = co_await on.control->write(as_bytes(bye));
    BOOST_TEST(said.has_value());
    co_await yield(50);
    BOOST_TEST(!on.ended);
    on.pair.at_b->cut(errc::reset); // it was killed
    co_await until([&on] { return on.ended; });
    BOOST_CHECK_THROW((void)visitor.read(1), std::exception); // it was reset, at once
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
