#include "gotunnel/reverse/server_session.hpp"

#include "gotunnel/wire/proxy_header.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

#include "support/loopback.hpp"
#include "support/memory_stream.hpp"
#include "support/print_error.hpp"
#include "support/refuses.hpp"
#include "support/run.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

/// A session of the server, and a bare multiplexer in the client's place.
struct bench {
  bench(const net::executor& at, bool native)
      : where(at), pair(make_memory_pair(at)), tasks(at, "test"),
        book(at, {{asio::ip::address_v4::loopback()},
                  std::get<wire::port_set>(wire::port_set::parse("1024-65535"))}) {
    link::admitted peer;
    peer.carrier = std::move(pair.b);
    peer.native = native;
    peer.capabilities = native ? static_cast<std::uint32_t>(wire::capability::stream_reset) : 0;
    session = std::make_shared<server_session>(at, at, book, std::move(peer));
    wire::smux_config config;
    config.resets = native;
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

  asio::awaitable<void> say(std::string text) {
    const auto sent = co_await control->write(as_bytes(text));
    BOOST_TEST(sent.has_value());
  }
  asio::awaitable<std::string> hear() {
    const auto line = co_await link::read_line(*control, 16 * 1024);
    co_return line ? *line : "<" + line.error().message() + ">";
  }
  asio::awaitable<wire::control_message> hear_message() {
    const std::string line = co_await hear();
    wire::control_reader reader;
    BOOST_TEST_REQUIRE(reader.feed(as_bytes(line)).has_value());
    const auto message = reader.next();
    BOOST_TEST_REQUIRE((message.has_value() && message->has_value()), line);
    co_return **message;
  }
  /// The port that a bind request got.
  asio::awaitable<std::uint16_t> bind(std::uint64_t id) {
    const std::string request = wire::encode(wire::bind_request{id, 0});
    co_await say(request);
    const auto answer = co_await hear_message();
    const auto* bound = std::get_if<wire::bound_answer>(&answer);
    BOOST_TEST_REQUIRE(bound != nullptr);
    BOOST_TEST(bound->id == id);
    co_return bound->port;
  }
  asio::awaitable<void> finish() {
    client->close(errc::closed);
    co_await tasks.join();
    book.close();
    co_await book.join();
  }

  net::executor where;
  memory_pair pair;
  net::task_group tasks;
  port_book book;
  std::shared_ptr<server_session> session;
  mux::session_ptr client;
  mux::mux_stream_ptr control;
  error_code client_end;
  bool ended = false;
};

} // namespace

BOOST_AUTO_TEST_SUITE(server_session_test)

BOOST_AUTO_TEST_CASE(control_messages_and_their_answers) {
  struct row {
    const char* line;
    const char* answer; ///< what the answer must hold
  };
  const row rows[] = {
      {R"({"type":"ping","id":7})", R"({"type":"pong","id":7})"},
      {R"({"type":"bind","id":1,"port":80})", R"("code":"port_not_allowed")"},
      {R"({"type":"bind","id":1})", R"("code":"bad_message")"},
      {R"({"type":"fly","id":3})", R"("code":"unknown_type")"},
      {R"({"type":"fly","id":3})", R"("id":3)"},
      {"no JSON at all", R"("code":"bad_message")"},
      {"[1]", R"("code":"bad_message")"},
  };
  run([&rows](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    for (const row& each : rows) {
      co_await on.say(std::string(each.line) + "\n");
      const std::string answer = co_await on.hear();
      BOOST_TEST(answer.find(each.answer) != std::string::npos, answer);
    }
    log.expect("port 80 is not allowed");
    // These are not answered; the ping behind them is.
    co_await on.say(
        "{\"type\":\"unbind\",\"id\":9}\n{\"type\":\"pong\",\"id\":9}\n{\"type\":\"bye\",\"reason\":\"x\"}\n"
        "{\"type\":\"ping\",\"id\":8}\n");
    const std::string answer = co_await on.hear();
    BOOST_TEST(answer.find("pong") != std::string::npos, answer);
    while (log.take("client a: ")) {
    } // one a second of the others
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_visitor_is_announced_and_carried_to_the_client_and_back) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    const auto port = co_await on.bind(42);
    auto visitor = loopback_socket::connect(port);
    visitor.write("question");
    visitor.shutdown_write();
    auto inside = co_await on.client->accept();
    BOOST_TEST_REQUIRE(inside.has_value());
    std::vector<std::byte> seen;
    for (;;) {
      const auto bytes = co_await (*inside)->read();
      BOOST_TEST_REQUIRE(bytes.has_value());
      if (bytes->empty()) break;
      seen.insert(seen.end(), bytes->begin(), bytes->end());
      (*inside)->consume(bytes->size());
    }
    const auto header = wire::read_proxy_header(seen);
    BOOST_TEST_REQUIRE((header.has_value() && header->has_value()));
    BOOST_TEST((*header)->header.service.value() == 42U);
    BOOST_TEST((*header)->header.peer.value().destination.port == port);
    BOOST_TEST(as_text(bytes_view(seen).subspan((*header)->size)) == "question");
    const auto sent = co_await (*inside)->write(as_bytes("answer"));
    BOOST_TEST(sent.has_value());
    const auto shut = co_await (*inside)->shut();
    BOOST_TEST(shut.has_value());
    visitor.set_nonblocking();
    std::string back;
    const auto read_back = [&visitor, &back] {
      std::array<char, 100> some{};
      const ssize_t count = ::recv(visitor.descriptor(), some.data(), some.size(), 0);
      if (count > 0) back.append(some.data(), static_cast<std::size_t>(count));
      return count == 0;
    };
    co_await until(read_back);
    BOOST_TEST(back == "answer");
    co_await on.finish();
    BOOST_TEST(refuses(port));
  });
}

BOOST_AUTO_TEST_CASE(a_keepalive_is_agreed_on_with_those_who_know_of_it) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    on.session->wish_keepalive(30s);
    std::uint64_t id = 1;
    const std::pair<std::uint32_t, std::uint32_t> rows[] = {
        {0, 0}, {4'000, 30'000}, {60'000, 60'000}, {4'000'000'000, 600'000}};
    for (const auto& [wish, agreed] : rows) {
      const std::string request = wire::encode(wire::bind_request{id++, 0, 0, wish});
      co_await on.say(request);
      const auto answer = co_await on.hear_message();
      BOOST_TEST(std::get<wire::bound_answer>(answer).keepalive == agreed);
    }
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(an_unbound_port_is_closed_and_its_id_is_free) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    const auto port = co_await on.bind(1);
    const std::string again = wire::encode(wire::bind_request{1, 0});
    co_await on.say(again);
    const std::string refused = co_await on.hear();
    BOOST_TEST(refused.find("duplicate_bind") != std::string::npos, refused);
    log.expect("bind 1 is in use");
    BOOST_TEST(!log.take("duplicate")); // the client's fault, and it was told
    const std::string unbind = wire::encode(wire::unbind_request{1});
    co_await on.say(unbind);
    const auto other = co_await on.bind(1);
    BOOST_TEST(refuses(port));
    BOOST_TEST(other != 0);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_line_without_end_and_too_much_garbage_end_the_session) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    const auto port = co_await on.bind(1);
    co_await on.say(std::string(wire::control_line_limit + 2, 'x'));
    co_await on.tasks.join();
    log.expect("control line longer than");
    BOOST_TEST(on.ended);
    BOOST_TEST(refuses(port));

    bench garbage(co_await asio::this_coro::executor, true);
    for (int i = 0; i < 9; ++i) co_await garbage.say("garbage\n");
    co_await garbage.tasks.join();
    log.expect("no JSON object");
    while (log.take("no JSON object")) {
    }
    BOOST_TEST(garbage.ended);
    co_await on.finish();
    co_await garbage.finish();
  });
}

BOOST_AUTO_TEST_CASE(closing_the_control_stream_is_leaving) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    const auto port = co_await on.bind(1);
    const auto shut = co_await on.control->shut();
    BOOST_TEST(shut.has_value());
    co_await on.tasks.join();
    BOOST_TEST(on.ended);
    BOOST_TEST((on.client_end == errc::closed));
    BOOST_TEST(refuses(port));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(only_the_control_stream_is_the_clients_to_open) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    co_await on.bind(1);
    auto surplus = on.client->open();
    BOOST_TEST_REQUIRE(surplus.has_value());
    const auto got = co_await (*surplus)->read();
    BOOST_TEST((got.error() == errc::too_many_streams));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_ping_tells_whether_the_client_lives) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    co_await on.bind(1);
    std::optional<bool> alive;
    on.session->ping(10s, [&alive](bool answer) { alive = answer; });
    const auto asked = co_await on.hear_message();
    BOOST_TEST_REQUIRE(std::holds_alternative<wire::ping_message>(asked));
    BOOST_TEST(!alive.has_value());
    const std::string pong = wire::encode(wire::pong_message{std::get<wire::ping_message>(asked).id});
    co_await on.say(pong);
    co_await until([&alive] { return alive.has_value(); });
    BOOST_TEST(*alive);

    alive.reset();
    on.session->ping(1ms, [&alive](bool answer) { alive = answer; });
    co_await until([&alive] { return alive.has_value(); });
    BOOST_TEST(!*alive);

    // A question that is open when the session ends is answered, once.
    int answers = 0;
    alive.reset();
    on.session->ping(1h, [&](bool answer) {
      alive = answer;
      ++answers;
    });
    on.session->superseded();
    co_await on.tasks.join();
    BOOST_TEST(answers == 1);
    BOOST_TEST(!alive.value());
    on.session->ping(1h, [&](bool answer) { alive = !answer; });
    BOOST_TEST(alive.value());
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(stopping_says_goodbye_and_waits_for_visitors_as_long_as_the_grace) {
  for (const bool patient : {true, false}) {
    run([patient](log_capture& log) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, true);
      const auto port = co_await on.bind(1);
      auto visitor = std::make_unique<loopback_socket>(loopback_socket::connect(port));
      auto inside = co_await on.client->accept();
      on.session->stop(patient ? duration(1h) : duration(5ms));
      on.session->stop(0s);
      const auto bye = co_await on.hear_message();
      BOOST_TEST(std::holds_alternative<wire::bye_message>(bye));
      if (patient) {
        co_await on.say("{\"type\":\"bind\",\"id\":2,\"port\":0}\n");
        const std::string refused = co_await on.hear();
        BOOST_TEST(refused.find("shutting_down") != std::string::npos, refused);
        log.expect("the server is shutting down");
        BOOST_TEST(!on.ended);
        visitor.reset();
        inside->reset();
      }
      co_await on.tasks.join();
      BOOST_TEST(on.ended);
      co_await on.finish();
    });
  }
}

BOOST_AUTO_TEST_CASE(a_visitor_that_neither_reads_nor_leaves_does_not_hold_the_session) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, true);
    const auto port = co_await on.bind(1);
    const auto visitor = loopback_socket::connect(port);
    visitor.shutdown_write(); // one direction has ended, the other is stuck
    auto inside = co_await on.client->accept();
    const auto flood = [](net::stream& to) -> asio::awaitable<void> {
      const std::vector<std::byte> much(32 << 20);
      [[maybe_unused]] const auto sent = co_await to.write(much);
    };
    on.tasks.spawn("flood", flood(**inside));
    co_await pause(50ms);
    co_await on.finish();
    BOOST_TEST(on.ended);
  });
}

BOOST_AUTO_TEST_CASE(an_original_client_asks_once) {
  struct row {
    std::string line;
    const char* answer;
  };
  const row rows[] = {{"{\"remote_port\":0}\n", "\"success\""},
                      {"{\"remote_port\":80}\n", "\"error\""},
                      {"nonsense\n", "Invalid control message"}};
  for (const row& each : rows) {
    run([&each](log_capture& log) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, false);
      co_await on.say(each.line);
      const std::string answer = co_await on.hear();
      BOOST_TEST(answer.find(each.answer) != std::string::npos, answer);
      const auto end = co_await on.control->read();
      BOOST_TEST(end.value().empty());
      if (each.line.find("80") != std::string::npos) log.expect("port 80 is not allowed");
      bool alive = true;
      on.session->ping(1h, [&alive](bool said) { alive = said; });
      BOOST_TEST(!alive); // it has no pings
      co_await on.finish();
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
