#include "gotunnel/link/dialer.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/tcp.hpp"
#include "gotunnel/net/tls_stream.hpp"

#include "support/gate.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <optional>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// A server on the loopback that admits one client.
struct bench {
  enum class first { served, mute };

  bench(const net::executor& where, const tls_contexts& contexts, link::shared_keys server_keys,
        first as = first::served)
      : door(*net::tcp_listener::open(where, {"127.0.0.1", 0})), keys(std::move(server_keys)),
        server(*contexts.server), tasks(where, "test"), options{{"127.0.0.1", door.address().port()},
                                                                *contexts.client,
                                                                link::always(right_keys())} {
    options.client.fill(std::byte{7});
    tasks.spawn("admit", as == first::mute ? mute_then_admit() : admit());
  }

  /// Somebody whose handshake is right and who says nothing more, then the server.
  asio::awaitable<void> mute_then_admit() {
    const auto where = co_await asio::this_coro::executor;
    auto next = co_await door.accept(where);
    BOOST_TEST_REQUIRE(next.has_value());
    auto socket = std::make_unique<net::socket_stream>(net::any_socket(std::move(next->socket)),
                                                       net::socket_stream::purpose::carrier, "client");
    net::tls_stream mute(server, std::move(socket));
    const auto shaken = co_await mute.handshake();
    BOOST_TEST(shaken.has_value());
    co_await admit();
  }

  asio::awaitable<void> admit() {
    const auto where = co_await asio::this_coro::executor;
    auto next = co_await door.accept(where);
    BOOST_TEST_REQUIRE(next.has_value());
    link::acceptor gate(keys, judge_at_once);
    gate.offer_resume(window, [this](const wire::client_hello& hello) { return decide(hello); });
    auto socket = std::make_unique<net::socket_stream>(net::any_socket(std::move(next->socket)),
                                                       net::socket_stream::purpose::carrier, "client");
    auto peer = co_await gate.admit(std::move(socket), server);
    if (peer)
      admitted.emplace(std::move(*peer));
    else
      failure = peer.error();
  }

  asio::awaitable<std::optional<link::acceptor::resumption>> decide(const wire::client_hello& hello) {
    asked = hello;
    co_return on;
  }

  duration window{};                            ///< of the server
  std::optional<link::acceptor::resumption> on; ///< what it answers who wants to resume
  std::optional<wire::client_hello> asked;      ///< by whom
  net::tcp_listener door;
  link::shared_keys keys;
  crypto::tls_context server;
  net::task_group tasks;
  link::dial_options options;
  std::optional<link::admitted> admitted;
  error_code failure;
};

} // namespace

BOOST_AUTO_TEST_SUITE(dialer_test)

BOOST_AUTO_TEST_CASE(the_dialer_and_the_acceptor_agree) {
  for (const bool native : {true, false}) {
    run([native](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, native ? tls_contexts::common() : seed_server_contexts(),
               right_keys());
      link::dialer way(on.options);
      auto reached = co_await way.reach();
      BOOST_TEST_REQUIRE(reached.has_value(), way.failure());
      co_await on.tasks.join();
      BOOST_TEST_REQUIRE(on.admitted.has_value());
      BOOST_TEST(reached->native == native);
      BOOST_TEST(on.admitted->native == native);
      BOOST_TEST(reached->capabilities == (native ? link::own_capabilities() : 0U));
      BOOST_TEST(on.admitted->capabilities == reached->capabilities);
      if (native) BOOST_CHECK(on.admitted->hello.client == on.options.client);
      const auto sent = co_await reached->carrier->write(as_bytes("through"));
      BOOST_TEST(sent.has_value());
      const auto got = co_await on.admitted->carrier->read();
      BOOST_TEST(as_text(got.value()) == "through");
    });
  }
}

BOOST_AUTO_TEST_CASE(the_smaller_window_counts_and_none_is_off) {
  struct row {
    duration client, server, agreed;
  };
  for (const row& each : {row{60s, 5s, 5s}, row{1500ms, 60s, 1500ms}, row{0s, 60s, 0s}, row{60s, 0s, 0s}}) {
    run([&each](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, tls_contexts::common(), right_keys());
      on.window = each.server;
      on.options.resume_window = each.client;
      link::dialer way(on.options);
      const auto reached = co_await way.reach();
      co_await on.tasks.join();
      BOOST_TEST_REQUIRE((reached.has_value() && on.admitted.has_value()));
      BOOST_CHECK(reached->resume_window == each.agreed);
      BOOST_CHECK(on.admitted->resume_window == each.agreed);
      BOOST_TEST(reached->capabilities == on.admitted->capabilities);
      BOOST_CHECK(reached->session == on.admitted->session);
      BOOST_TEST(!reached->resumed);
      BOOST_TEST(!on.asked.has_value());
    });
  }
}

BOOST_AUTO_TEST_CASE(a_session_goes_on_if_the_server_still_has_it) {
  for (const bool known : {true, false}) {
    run([known](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, tls_contexts::common(), right_keys());
      on.window = on.options.resume_window = 60s;
      net::stream_ptr carrier;
      if (known) {
        on.on.emplace();
        on.on->received = 0x123456789abcd;
        on.on->go_on = [&carrier](net::stream_ptr next) { carrier = std::move(next); };
      }
      link::dialer way(on.options);
      link::resume_request wanted;
      wanted.session.fill(std::byte{9});
      wanted.generation = 4;
      wanted.received = 0xfedcba9876543;
      link::request_source ask = [&wanted] { return wanted; };
      const auto reached = co_await way.reach(std::move(ask));
      co_await on.tasks.join();
      BOOST_TEST_REQUIRE((reached.has_value() && on.admitted.has_value() && on.asked.has_value()));
      BOOST_CHECK(on.asked->session == wanted.session);
      BOOST_TEST(on.asked->generation == 4U);
      BOOST_TEST(on.asked->received == wanted.received);
      BOOST_TEST(reached->resumed == known);
      BOOST_TEST((on.admitted->go_on != nullptr) == known);
      BOOST_TEST((reached->session == wanted.session) == known);
      BOOST_CHECK(reached->session == on.admitted->session);
      if (!known) co_return;
      BOOST_TEST(reached->received == 0x123456789abcdU);
      on.admitted->go_on(std::move(on.admitted->carrier));
      BOOST_TEST((carrier != nullptr));
    });
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_secret_is_known_on_both_sides) {
  for (const bool native : {true, false}) {
    run([native](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, native ? tls_contexts::common() : seed_server_contexts(),
               wrong_keys());
      link::dialer way(on.options);
      const auto reached = co_await way.reach();
      BOOST_TEST((reached.error() == errc::wrong_secret));
      co_await on.tasks.join();
      BOOST_TEST((on.failure == errc::wrong_secret));
    });
  }
}

BOOST_AUTO_TEST_CASE(when_the_way_changes_a_greeting_has_little_time_left_and_the_next_is_of_its_own) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench on(where, tls_contexts::common(), right_keys(), bench::first::mute);
    on.window = on.options.resume_window = 60s;
    link::dialer way(on.options);
    BOOST_TEST(!way.hurry()); // nothing is under way
    std::uint32_t generation = 0;
    link::request_source ask = [&generation] { return link::resume_request{{}, ++generation, 0}; };
    const net::deadline changed(where, 1100ms, [&way] { BOOST_TEST(way.hurry()); });
    const auto reached = co_await way.reach(std::move(ask));
    BOOST_TEST(reached.has_value());
    co_await on.tasks.join();
    BOOST_TEST_REQUIRE(on.asked.has_value());
    BOOST_TEST(on.asked->generation == 2U); // the one before may have been heard
  });
}

BOOST_AUTO_TEST_CASE(each_attempt_asks_for_the_keys) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, tls_contexts::common(), right_keys());
    link::shared_keys now = wrong_keys();
    on.options.keys = [&now]() -> asio::awaitable<link::shared_keys> { co_return now; };
    link::dialer way(on.options);
    const auto refused = co_await way.reach();
    BOOST_TEST((refused.error() == errc::wrong_secret));
    now = right_keys();
    on.tasks.spawn("admit again", on.admit());
    const auto reached = co_await way.reach();
    BOOST_TEST(reached.has_value());
    co_await on.tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(an_original_server_can_be_refused) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, seed_server_contexts(), right_keys());
    on.options.fallback = std::make_shared<link::seed_fallback>(link::seed_fallback::wish::off);
    link::dialer way(on.options);
    const auto reached = co_await way.reach();
    BOOST_TEST((reached.error() == errc::seed_peer_refused));
    co_await on.tasks.join();
    BOOST_TEST(!!on.failure);
  });
}

BOOST_AUTO_TEST_CASE(who_resumes_tells_no_original_server_the_secret) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, seed_server_contexts(), right_keys());
    on.options.resume_window = 60s;
    link::dialer way(on.options);
    link::request_source ask = [] { return link::resume_request{}; };
    const auto reached = co_await way.reach(std::move(ask));
    BOOST_TEST((reached.error() == errc::downgraded));
    co_await on.tasks.join();
    BOOST_TEST(!on.admitted.has_value());
  });
}

BOOST_AUTO_TEST_CASE(a_server_that_has_been_native_is_not_followed_back) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    bench native(where, tls_contexts::common(), right_keys());
    bench seed(where, seed_server_contexts(), right_keys());
    const auto fallback = std::make_shared<link::seed_fallback>(link::seed_fallback::wish::on);
    native.options.fallback = seed.options.fallback = fallback; // two carriers of one client
    seed.options.tls = *seed_server_contexts().client;
    link::dialer one(native.options);
    link::dialer other(seed.options);
    const auto before = co_await one.reach();
    BOOST_TEST(before.has_value());
    const auto after = co_await other.reach();
    BOOST_TEST((after.error() == errc::downgraded));
    co_await native.tasks.join();
    co_await seed.tasks.join();
    BOOST_TEST(!seed.admitted.has_value());
  });
}

BOOST_AUTO_TEST_CASE(a_secret_that_the_original_cannot_carry_is_not_sent) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor, seed_server_contexts(), right_keys());
    on.options.keys = link::always(link::make_gate_keys({secret_text(" open sesame")}, true));
    link::dialer way(on.options);
    const auto reached = co_await way.reach();
    BOOST_TEST((reached.error() == errc::wrong_secret));
    BOOST_TEST(!way.failure().empty());
    co_await on.tasks.join();
    BOOST_TEST(!!on.failure);
  });
}

BOOST_AUTO_TEST_CASE(a_server_of_another_authority_is_not_told_the_secret) {
  run([](log_capture&) -> asio::awaitable<void> {
    const tls_contexts others;
    bench on(co_await asio::this_coro::executor, tls_contexts::common(), right_keys());
    on.options.tls = *others.client;
    link::dialer way(on.options);
    const auto reached = co_await way.reach();
    BOOST_TEST((reached.error() == errc::untrusted_server));
    BOOST_TEST(!way.failure().empty());
    co_await on.tasks.join();
    BOOST_TEST(!!on.failure);
  });
}

BOOST_AUTO_TEST_CASE(a_server_that_says_nothing_times_out_and_one_that_is_absent_refuses) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = net::tcp_listener::open(where, {"127.0.0.1", 0});
    link::dial_options options{
        {"127.0.0.1", door->address().port()}, *tls_contexts::common().client, link::always(right_keys())};
    options.limit = 30ms;
    link::dialer way(options);
    const auto silent = co_await way.reach();
    BOOST_TEST((silent.error() == errc::timed_out));
    door->close();
    const auto absent = co_await way.reach(); // the same dialer again
    BOOST_TEST((absent.error() == boost::asio::error::connection_refused));
  });
}

BOOST_AUTO_TEST_SUITE_END()
