#include "gotunnel/reverse/client_session.hpp"

#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/wire/proxy_header.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

#include "support/memory_stream.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/sockets.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

/// A session of the client, and a bare multiplexer in the server's place.
struct bench {
  bench(const net::executor& where, bool native, std::uint16_t local_port, std::uint8_t carrier = 0)
      : pair(make_memory_pair(where)), tasks(where, "test") {
    link::reached reached;
    reached.carrier = std::move(pair.a);
    reached.native = native;
    reached.capabilities = native ? static_cast<std::uint32_t>(wire::capability::stream_reset) : 0;
    client = std::make_unique<client_session>(
        where, std::move(reached), wire::bind_request{0, 8080, carrier},
        wire::host_port{"127.0.0.1", local_port}, visits,
        [this](const wire::bound_answer& answer) { ready.push_back(answer); });
    wire::smux_config config;
    config.role = wire::smux_role::server;
    config.resets = native;
    server = std::make_shared<mux::session>(where, std::move(pair.b), config);
    tasks.spawn("client", run_client());
    tasks.spawn("server", run_server());
  }

  asio::awaitable<void> run_client() {
    outcome = co_await client->run();
    ended = true;
    co_await client->drain();
  }
  asio::awaitable<void> run_server() { server_end = co_await server->run(); }

  /// The client's request, read.
  asio::awaitable<std::string> begin() {
    auto accepted = co_await server->accept();
    BOOST_TEST_REQUIRE(accepted.has_value());
    control = std::move(*accepted);
    const std::string request = co_await hear();
    co_return request;
  }
  asio::awaitable<void> say(std::string text) {
    const auto sent = co_await control->write(as_bytes(text));
    BOOST_TEST(sent.has_value());
  }
  asio::awaitable<std::string> hear() {
    const auto line = co_await link::read_line(*control, 16 * 1024);
    co_return line ? *line : "<" + line.error().message() + ">";
  }
  asio::awaitable<void> become_ready() {
    co_await begin();
    const std::string bound = wire::encode(wire::bound_answer{1, 8080, "[::]:8080"});
    co_await say(bound);
    co_await until([this] { return !ready.empty(); });
  }
  /// A visitor's stream, with what comes first on it.
  asio::awaitable<mux::mux_stream_ptr> visit(std::string first, bool with_header = true) {
    auto inside = server->open();
    std::vector<std::byte> bytes;
    wire::proxy_header header;
    header.service = 1;
    if (with_header) wire::encode(header, bytes);
    const bytes_view text = as_bytes(first);
    bytes.insert(bytes.end(), text.begin(), text.end());
    const auto sent = co_await (*inside)->write(bytes);
    BOOST_TEST(sent.has_value());
    co_return std::move(*inside);
  }
  asio::awaitable<void> finish() {
    server->close(errc::closed);
    co_await tasks.join();
  }

  memory_pair pair;
  net::task_group tasks;
  local_visits visits;
  std::unique_ptr<client_session> client;
  mux::session_ptr server;
  mux::mux_stream_ptr control;
  std::vector<wire::bound_answer> ready;
  session_outcome outcome;
  error_code server_end;
  bool ended = false;
};

std::uint16_t unused_port() { return loopback_listener().port(); }

} // namespace

BOOST_AUTO_TEST_SUITE(client_session_test)

BOOST_AUTO_TEST_CASE(it_asks_for_its_port_and_is_ready_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true, unused_port());
    const std::string request = co_await on.begin();
    BOOST_TEST(request == wire::encode(wire::bind_request{1, 8080, 0, 4'000}));
    const std::string other = wire::encode(wire::bound_answer{2, 1, "x"}); // not what it asked for
    const std::string bound = wire::encode(wire::bound_answer{1, 8080, "[::]:8080"});
    const std::string ping = wire::encode(wire::ping_message{9});
    co_await on.say(other + bound + bound + R"({"type":"news"})" + "\n" + R"({"type":"bye","reason":"x"})" +
                    "\n" + ping);
    const std::string pong = co_await on.hear();
    BOOST_TEST(pong == wire::encode(wire::pong_message{9}));
    BOOST_TEST(on.ready.size() == 1U);
    co_await on.finish();
    BOOST_TEST(on.outcome.was_ready);
    BOOST_TEST(!on.outcome.refusal.has_value());
  });
}

BOOST_AUTO_TEST_CASE(as_a_carrier_it_asks_by_its_number) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true, unused_port(), 3);
    const std::string request = co_await on.begin();
    BOOST_TEST(request == wire::encode(wire::bind_request{1, 8080, 3, 4'000}));
    const std::string bound = wire::encode(wire::bound_answer{1, 8080, "[::]:8080", 3});
    co_await on.say(bound);
    co_await until([&on] { return !on.ready.empty(); });
    BOOST_TEST(on.ready.front().carrier == 3);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_refusal_ends_the_session_and_is_told) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true, unused_port());
    co_await on.begin();
    const std::string no = wire::encode(wire::error_answer{1, "port_held", "somebody has it"});
    co_await on.say(no);
    co_await on.tasks.join();
    BOOST_TEST(!on.outcome.was_ready);
    BOOST_TEST((on.outcome.why == errc::refused));
    BOOST_TEST(on.outcome.refusal.value().message == "somebody has it");
    BOOST_TEST(on.ready.empty());
  });
}

BOOST_AUTO_TEST_CASE(a_server_that_talks_nonsense_or_goes_away_ends_the_session) {
  const std::pair<std::string, errc> rows[] = {{"nonsense\n", errc::broken_frame},
                                               {std::string(20'000, 'x'), errc::limit_exceeded},
                                               {"", errc::end_of_stream}};
  for (const auto& [text, why] : rows) {
    run([&text = text, why = why](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, true, unused_port());
      co_await on.begin();
      if (text.empty()) {
        const auto shut = co_await on.control->shut();
        BOOST_TEST(shut.has_value());
      } else {
        const auto sent = co_await on.control->write(as_bytes(text));
        BOOST_TEST((sent.has_value() || on.server->ended()));
      }
      co_await on.tasks.join();
      BOOST_TEST((on.outcome.why == why), on.outcome.why.message());
    });
  }
}

BOOST_AUTO_TEST_CASE(a_visitor_is_carried_to_the_local_service_without_its_header) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const loopback_listener service;
    bench on(where, true, service.port());
    co_await on.become_ready();
    auto inside = co_await on.visit("question");
    const auto shut = co_await inside->shut();
    BOOST_TEST(shut.has_value());
    auto accepted = co_await accept_in_turn(service);
    net::socket_stream local(adopt(where, std::move(accepted)), net::socket_stream::purpose::visitor,
                             "local");
    std::string question;
    for (;;) {
      const auto bytes = co_await local.read();
      BOOST_TEST_REQUIRE(bytes.has_value());
      if (bytes->empty()) break;
      question += as_text(*bytes);
      local.consume(bytes->size());
    }
    BOOST_TEST(question == "question");
    const auto sent = co_await local.write(as_bytes("answer"));
    BOOST_TEST(sent.has_value());
    const auto done = co_await local.shut();
    BOOST_TEST(done.has_value());
    const auto answer = co_await inside->read();
    BOOST_TEST(as_text(answer.value()) == "answer");
    inside->consume(6);
    const auto end = co_await inside->read();
    BOOST_TEST(end.value().empty());
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(without_the_local_service_visitors_are_reset_and_it_is_said) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true, unused_port());
    co_await on.become_ready();
    for (int i = 0; i < 3; ++i) {
      auto inside = co_await on.visit("hello");
      const auto got = co_await inside->read();
      BOOST_TEST((got.error() == errc::unreachable));
    }
    log.expect("cannot reach the local service 127.0.0.1:"); // once: the rest is held back
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_stream_without_a_right_header_is_reset) {
  run([](log_capture&) -> asio::awaitable<void> {
    const loopback_listener service;
    bench on(co_await asio::this_coro::executor, true, service.port());
    co_await on.become_ready();
    auto garbage = co_await on.visit("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", false);
    const auto got = co_await garbage->read();
    BOOST_TEST((got.error() == errc::reset));
    auto early = co_await on.visit("short", false);
    const auto shut = co_await early->shut();
    BOOST_TEST(shut.has_value());
    const auto end = co_await early->read();
    BOOST_TEST((end.error() == errc::reset));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(stopping_gives_the_port_up_and_says_goodbye) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const loopback_listener service;
    bench on(where, true, service.port());
    co_await on.become_ready();
    auto inside = co_await on.visit("hello");
    auto local = co_await accept_in_turn(service);
    on.client->stop(1h);
    on.client->stop(0s);
    const std::string unbind = co_await on.hear();
    BOOST_TEST(unbind == wire::encode(wire::unbind_request{1}));
    const std::string bye = co_await on.hear();
    BOOST_TEST(bye.find("bye") != std::string::npos, bye);
    auto late = co_await on.visit("too late");
    const auto got = co_await late->read();
    BOOST_TEST((got.error() == errc::reset));
    BOOST_TEST(!on.ended);
    inside.reset();
    co_await on.tasks.join();
    BOOST_TEST((on.outcome.why == errc::closed));
  });
}

BOOST_AUTO_TEST_CASE(stopping_does_not_wait_longer_than_the_grace_whatever_the_server_reads) {
  run([](log_capture&) -> asio::awaitable<void> {
    const loopback_listener service;
    bench on(co_await asio::this_coro::executor, true, service.port());
    co_await on.become_ready();
    auto inside = co_await on.visit("hello");
    const auto local = co_await accept_in_turn(service);
    on.pair.at_a->stall(step::write);
    const std::string ping = wire::encode(wire::ping_message{1});
    co_await on.say(ping + ping); // an answer is under way when it stops
    co_await yield(10);
    on.client->stop(1ms);
    co_await until([&on] { return on.ended; });
    co_await on.tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(an_original_server_is_asked_in_its_own_words) {
  for (const bool yes : {true, false}) {
    run([yes](log_capture&) -> asio::awaitable<void> {
      const auto where = co_await asio::this_coro::executor;
      const loopback_listener service;
      bench on(where, false, service.port());
      const std::string request = co_await on.begin();
      BOOST_TEST(request == wire::encode_seed_request(8080));
      const std::string answer = wire::encode(wire::seed_answer{yes, "message"});
      co_await on.say(answer);
      if (!yes) {
        co_await on.tasks.join();
        BOOST_TEST(on.outcome.refusal.value().message == "message");
        co_return;
      }
      const std::string end = co_await on.hear();
      BOOST_TEST(end.starts_with("<")); // it closes its half
      BOOST_TEST(on.ready.size() == 1U);
      auto inside = co_await on.visit("raw", false);
      auto accepted = co_await accept_in_turn(service);
      net::socket_stream local(adopt(where, std::move(accepted)), net::socket_stream::purpose::visitor,
                               "local");
      const auto got = co_await local.read();
      BOOST_TEST(as_text(got.value()) == "raw");
      co_await on.finish();
      BOOST_TEST(on.outcome.was_ready);
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
