// A session of the server whose stream ids come to an end.
#include "gotunnel/reverse/server_session.hpp"

#include "reverse/book_bench.hpp"
#include "support/memory_stream.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

constexpr wire::stream_id last_id = 48; ///< 24 streams; three left are few

/// Such a session, and a bare multiplexer in the client's place.
struct bench {
  bench(const net::executor& at, std::uint32_t capabilities)
      : pair(make_memory_pair(at)), tasks(at, "test"),
        ports(at, {{asio::ip::address_v4::loopback()}, allow("1-65535")}) {
    link::admitted peer;
    peer.carrier = std::move(pair.b);
    peer.native = true;
    peer.capabilities = capabilities;
    session = std::make_shared<server_session>(at, at, ports, std::move(peer), nullptr, last_id);
    wire::smux_config config;
    config.resets = has(capabilities, wire::capability::stream_reset);
    client = std::make_shared<mux::session>(at, std::move(pair.a), config);
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
  /// A visitor, and the client's end of it.
  asio::awaitable<mux::mux_stream_ptr> visit(std::uint16_t port) {
    visitors.push_back(loopback_socket::connect(port));
    auto stream = co_await client->accept();
    BOOST_TEST_REQUIRE(stream.has_value());
    co_return std::move(*stream);
  }
  asio::awaitable<void> finish() {
    client->close(errc::closed);
    session->stop(0s);
    co_await tasks.join();
    ports.close();
    co_await ports.join();
  }

  memory_pair pair;
  net::task_group tasks;
  port_book ports;
  std::shared_ptr<server_session> session;
  mux::session_ptr client;
  mux::mux_stream_ptr control;
  std::vector<loopback_socket> visitors;
  error_code client_end;
  bool ended = false;
};

constexpr auto resets = static_cast<std::uint32_t>(wire::capability::stream_reset);
constexpr auto renews = resets | static_cast<std::uint32_t>(wire::capability::renew);

} // namespace

BOOST_AUTO_TEST_SUITE(server_session_renewal_test)

BOOST_AUTO_TEST_CASE(a_client_is_asked_for_a_fresh_session_and_keeps_its_visitors) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, renews);
    const auto port = co_await on.bind();
    for (int i = 0; i < 20; ++i) (void)co_await on.visit(port);
    BOOST_TEST(on.control->waiting().empty());
    const auto kept = co_await on.visit(port);
    const auto line = co_await link::read_line(*on.control, 16 * 1024);
    BOOST_TEST(line.value() == "{\"type\":\"renew\"}\n");
    // The port goes to the fresh session.
    on.session->superseded();
    co_await yield(100);
    BOOST_TEST(!on.ended);
    const auto header = co_await kept->read();
    kept->consume(header->size());
    on.visitors.back().write("hello");
    const auto heard = co_await kept->read();
    BOOST_TEST(as_text(*heard) == "hello");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(an_older_client_loses_the_session_when_no_visitor_is_there) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, resets);
    const auto port = co_await on.bind();
    for (int i = 0; i < 20; ++i) (void)co_await on.visit(port);
    auto kept = co_await on.visit(port);
    co_await yield(100);
    BOOST_TEST(!on.ended);
    kept.reset();
    co_await until([&on] { return on.ended; });
    BOOST_TEST((on.client_end == errc::closed));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(when_there_are_no_more_ids_the_session_ends_in_good_order) {
  for (const std::uint32_t capabilities : {resets, renews}) {
    run([capabilities](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, capabilities);
      const auto port = co_await on.bind();
      std::vector<mux::mux_stream_ptr> kept;
      for (int i = 0; i < 24; ++i) kept.push_back(co_await on.visit(port));
      BOOST_TEST(!on.ended);
      const auto surplus = loopback_socket::connect(port);
      co_await until([&on] { return on.ended; });
      BOOST_TEST((on.client_end == errc::closed));
      co_await on.finish();
    });
  }
}

BOOST_AUTO_TEST_CASE(a_session_that_was_not_to_be_renewed_ends_when_another_takes_its_port) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, renews);
    (void)co_await on.bind();
    on.session->superseded();
    co_await until([&on] { return on.ended; });
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
