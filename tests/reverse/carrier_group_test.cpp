#include "gotunnel/reverse/carrier_group.hpp"

#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/tcp.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

#include "support/gate.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <algorithm>
#include <list>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

constexpr std::uint16_t chosen = 4711; ///< what the server chooses when it may

/// A server that remembers what its clients ask for, and answers as the test wants.
class fake_server {
public:
  struct guest {
    std::shared_ptr<mux::session> mux;
    mux::mux_stream_ptr control;
    wire::bind_request wanted;
    std::string later;     ///< what it said after its request
    bool answered = false; ///< it has heard the answer
    bool ended = false;
  };

  fake_server(const net::executor& where, bool native)
      : contexts_(native ? tls_contexts::common() : seed_server_contexts()),
        door_(*net::tcp_listener::open(where, {"127.0.0.1", 0})), tasks_(where, "test") {
    tasks_.spawn("accept", accept());
  }

  link::dial_options way() const {
    return {{"127.0.0.1", door_.address().port()}, *contexts_.client, link::always(right_keys())};
  }
  /// The latest guest with this number, or null.
  guest* carrier(std::uint8_t number) {
    const auto is = [number](const guest& each) { return each.wanted.carrier == number; };
    const auto found = std::find_if(guests.rbegin(), guests.rend(), is);
    return found == guests.rend() ? nullptr : &*found;
  }
  std::size_t present() const {
    return static_cast<std::size_t>(std::count_if(
        guests.begin(), guests.end(), [](const guest& each) { return each.answered && !each.ended; }));
  }
  asio::awaitable<void> close() {
    door_.close();
    for (guest& each : guests) each.mux->close(errc::closed);
    co_await tasks_.join();
  }

  std::list<guest> guests; ///< in the order in which they asked
  bool numbers = true;     ///< knows carriers
  std::uint16_t refuses = 0;
  std::uint16_t choice = chosen;

private:
  asio::awaitable<void> accept() {
    const auto where = co_await asio::this_coro::executor;
    for (;;) {
      auto next = co_await door_.accept(where);
      if (!next) co_return;
      tasks_.spawn("guest", serve(std::move(next->socket)));
    }
  }

  asio::awaitable<void> serve(asio::ip::tcp::socket connection) {
    const auto where = co_await asio::this_coro::executor;
    link::acceptor gate(right_keys(), judge_at_once);
    auto socket = std::make_unique<net::socket_stream>(net::any_socket(std::move(connection)),
                                                       net::socket_stream::purpose::carrier, "client");
    auto peer = co_await gate.admit(std::move(socket), *contexts_.server);
    if (!peer) co_return; // it was told to stop
    wire::smux_config config;
    config.role = wire::smux_role::server;
    const auto mux = std::make_shared<mux::session>(where, std::move(peer->carrier), config);
    tasks_.spawn("control", talk(mux, peer->native));
    [[maybe_unused]] const auto why = co_await mux->run();
    for (guest& each : guests)
      if (each.mux == mux) each.ended = true;
  }

  asio::awaitable<void> talk(std::shared_ptr<mux::session> mux, bool native) {
    auto control = co_await mux->accept();
    if (!control) co_return;
    const auto line = co_await link::read_line(**control, 4096);
    if (!line) co_return;
    guest& who = guests.emplace_back();
    who.mux = mux;
    who.control = std::move(*control);
    const std::string answer = native ? answer_to(who, *line + "\n") + wire::encode(wire::ping_message{1})
                                      : wire::encode(wire::seed_answer{true, "x"});
    const auto sent = co_await who.control->write(as_bytes(answer));
    if (!sent) co_return; // it was told to stop
    for (;;) {
      const auto bytes = co_await who.control->read();
      if (!bytes || bytes->empty()) co_return;
      who.later += as_text(*bytes);
      who.answered = who.later.find("pong") != std::string::npos;
      who.control->consume(bytes->size());
    }
  }

  std::string answer_to(guest& who, const std::string& line) const {
    wire::control_reader reader;
    BOOST_TEST(reader.feed(as_bytes(line)).has_value());
    who.wanted = std::get<wire::bind_request>(reader.next()->value());
    const auto& asked = who.wanted;
    if (asked.port != 0 && asked.port == refuses)
      return wire::encode(wire::error_answer{asked.id, "port_held", "somebody has it"});
    const std::uint16_t port = asked.port == 0 ? choice : asked.port;
    return wire::encode(wire::bound_answer{asked.id, port, "x", numbers ? asked.carrier : std::uint8_t{0}});
  }

  tls_contexts contexts_;
  net::tcp_listener door_;
  net::task_group tasks_;
};

struct bench {
  bench(const net::executor& where, std::uint8_t carriers, std::uint16_t port = 0, bool retry = true,
        bool native = true)
      : server(where, native), tasks(where, "test") {
    client_options options{server.way()};
    options.remote_port = port;
    options.target = wire::host_port{"127.0.0.1", 1};
    options.max_retry_interval = 10ms;
    options.retry = retry;
    auto on_ready = [this](const wire::bound_answer& answer) { ready.push_back(answer.port); };
    group.emplace(where, std::move(options), carriers, std::move(on_ready));
    tasks.spawn("client", run());
  }

  asio::awaitable<void> run() {
    co_await group->run();
    ended = true;
  }
  asio::awaitable<void> present(std::size_t count) {
    const auto all = [this, count] { return server.present() == count; };
    co_await until(all);
  }
  asio::awaitable<void> finish() {
    group->stop(10s); // of which it needs nothing
    co_await tasks.join();
    co_await server.close();
  }

  fake_server server;
  net::task_group tasks;
  std::vector<std::uint16_t> ready;
  std::optional<carrier_group> group;
  bool ended = false;
};

} // namespace

BOOST_AUTO_TEST_SUITE(carrier_group_test)

BOOST_AUTO_TEST_CASE(the_others_join_the_port_that_the_first_one_got) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 3);
    co_await on.present(3);
    BOOST_TEST((on.server.guests.front().wanted == wire::bind_request{1, 0, 1, 4'000}));
    BOOST_TEST((on.server.carrier(2)->wanted == wire::bind_request{1, chosen, 2, 4'000}));
    BOOST_TEST((on.server.carrier(3)->wanted == wire::bind_request{1, chosen, 3, 4'000}));
    BOOST_TEST(on.ready == std::vector<std::uint16_t>{chosen}, boost::test_tools::per_element());
    co_await on.finish();
    BOOST_TEST(on.ready.size() == 1U);
    BOOST_TEST(on.group->exit_code() == 0);
    for (const auto& each : on.server.guests) BOOST_TEST(each.later.find("bye") != std::string::npos);
  });
}

BOOST_AUTO_TEST_CASE(an_only_carrier_has_no_number) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 1, 8080);
    co_await on.present(1);
    BOOST_TEST((on.server.guests.front().wanted == wire::bind_request{1, 8080, 0, 4'000, true}));
    co_await until([&on] { return on.ready.size() == 1; });
    on.server.guests.front().mux->abort(errc::reset);
    co_await until([&on] { return on.ready.size() == 2; });
    log.expect("reverse: the session with 127.0.0.1:");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_lost_carrier_comes_back_on_its_own) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 3);
    co_await on.present(3);
    on.server.carrier(2)->mux->abort(errc::reset);
    co_await until([&on] { return on.server.guests.size() == 4; });
    co_await on.present(3);
    BOOST_TEST((on.server.guests.back().wanted == wire::bind_request{1, chosen, 2, 4'000}));
    log.expect("carrier 2: the session with 127.0.0.1:");
    BOOST_TEST(on.ready.size() == 1U);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(when_all_are_lost_the_port_is_opened_anew_by_any_of_them) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 3);
    co_await on.present(3);
    for (auto& each : on.server.guests) each.mux->abort(errc::reset);
    co_await until([&on] { return on.server.guests.size() == 6; });
    co_await on.present(3);
    for (std::uint8_t number = 1; number <= 3; ++number) {
      BOOST_TEST(on.server.carrier(number)->wanted.port == chosen);
      BOOST_TEST(!on.server.carrier(number)->ended);
      log.expect("was lost");
    }
    co_await until([&on] { return on.ready.size() == 2; });
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(one_of_them_asks_for_another_port_when_the_chosen_one_is_gone) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 3);
    co_await on.present(3);
    on.server.refuses = chosen;
    on.server.choice = 4712;
    for (auto& each : on.server.guests) each.mux->abort(errc::reset);
    const auto moved = [&on] {
      return std::count_if(on.server.guests.begin(), on.server.guests.end(), [](const auto& each) {
               return !each.ended && each.answered && each.wanted.port == 4712;
             }) == 2;
    };
    co_await until(moved);
    const auto asked = std::count_if(on.server.guests.begin(), on.server.guests.end(),
                                     [](const auto& each) { return each.wanted.port == 0; });
    BOOST_TEST(asked == 2); // at the start, and now
    BOOST_TEST(on.ready == (std::vector<std::uint16_t>{chosen, 4712}), boost::test_tools::per_element());
    log.expect("refused -remote-port 0");
    while (log.take("was lost")) {
    }
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_server_that_knows_no_carriers_is_served_by_one_and_that_is_said_once) {
  for (const bool native : {true, false}) {
    run([native](log_capture& log) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, 3, 8080, true, native);
      on.server.numbers = false;
      co_await until([&on] { return on.ready.size() == 1; });
      log.expect("does not know -carriers");
      co_await pause(50ms); // nobody else comes
      BOOST_TEST(on.server.guests.size() == 1U);
      on.server.guests.front().mux->abort(errc::reset);
      co_await until([&on] { return on.ready.size() == 2; });
      log.expect("was lost");
      BOOST_TEST(on.server.guests.size() == 2U);
      if (native) {
        // The server has been replaced by a newer one.
        on.server.numbers = true;
        on.server.guests.back().mux->abort(errc::reset);
        co_await on.present(3);
        log.expect("was lost");
        // And back again: the one that finds out goes on.
        on.server.numbers = false;
        for (auto& each : on.server.guests) each.mux->abort(errc::reset);
        co_await until([&] { return log.take("does not know -carriers"); });
        co_await on.present(1);
        while (log.take("was lost")) {
        }
      }
      co_await on.finish();
    });
  }
}

BOOST_AUTO_TEST_CASE(
    a_session_that_is_to_be_renewed_goes_on_beside_the_next_until_its_last_visitor_has_left) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 1, 8080);
    co_await on.present(1);
    auto& former = on.server.guests.front();
    auto visitor = former.mux->open(); // who has not said yet where it comes from
    BOOST_TEST_REQUIRE(visitor.has_value());
    const std::string line = wire::encode(wire::renew_message{});
    const auto said = co_await former.control->write(as_bytes(line));
    BOOST_TEST(said.has_value());
    co_await on.present(2);
    BOOST_TEST((on.server.guests.back().wanted == wire::bind_request{1, 8080, 0, 4'000, true}));
    co_await pause(3s);
    BOOST_TEST(on.server.present() == 2U);
    visitor->reset();
    co_await on.present(1);
    BOOST_TEST(former.ended);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(without_retry_a_refused_first_carrier_ends_it_all) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 3, 8080, false);
    on.server.refuses = 8080;
    co_await on.tasks.join();
    BOOST_TEST(on.group->exit_code() == 1);
    BOOST_TEST(on.server.guests.size() == 1U);
    log.expect("refused -remote-port 8080: somebody has it");
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(without_retry_it_lasts_as_long_as_its_last_carrier) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 2, 0, false);
    co_await on.present(2);
    on.server.carrier(1)->mux->abort(errc::reset);
    co_await until([&log] { return log.take("carrier 1: the session with"); });
    co_await pause(50ms);
    BOOST_TEST(!on.ended);
    BOOST_TEST(on.server.guests.size() == 2U);
    on.server.carrier(2)->mux->abort(errc::reset);
    co_await on.tasks.join();
    log.expect("carrier 2: the session with");
    BOOST_TEST(on.group->exit_code() == 1);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(trouble_that_all_have_is_said_once) {
  run([](log_capture& log) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, 3);
    co_await on.present(3);
    co_await on.server.close(); // nobody listens now
    co_await until([&log] { return log.take("cannot connect to 127.0.0.1:"); });
    co_await pause(100ms);
    while (log.take("was lost")) {
    }
    BOOST_TEST(!log.take("cannot connect"));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
