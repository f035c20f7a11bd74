#include "gotunnel/link/dialer.hpp"

#include "gotunnel/net/tcp.hpp"

#include "support/gate.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <optional>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// A server on the loopback that admits one client.
struct bench {
  bench(const net::executor& where, const tls_contexts& contexts, link::shared_keys server_keys)
      : door(*net::tcp_listener::open(where, {"127.0.0.1", 0})), keys(std::move(server_keys)),
        server(*contexts.server), tasks(where, "test"), options{{"127.0.0.1", door.address().port()},
                                                                *contexts.client,
                                                                link::always(right_keys())} {
    options.client.fill(std::byte{7});
    tasks.spawn("admit", admit());
  }

  asio::awaitable<void> admit() {
    const auto where = co_await asio::this_coro::executor;
    auto next = co_await door.accept(where);
    BOOST_TEST_REQUIRE(next.has_value());
    link::acceptor gate(keys, []() -> asio::awaitable<void> { co_return; });
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
      std::optional<link::resume_request> wanted(std::in_place);
      wanted->session.fill(std::byte{9});
      wanted->generation = 4;
      wanted->received = 0xfedcba9876543;
      const auto reached = co_await way.reach(wanted);
      co_await on.tasks.join();
      BOOST_TEST_REQUIRE((reached.has_value() && on.admitted.has_value() && on.asked.has_value()));
      BOOST_CHECK(on.asked->session == wanted->session);
      BOOST_TEST(on.asked->generation == 4U);
      BOOST_TEST(on.asked->received == wanted->received);
      BOOST_TEST(reached->resumed == known);
      BOOST_TEST((on.admitted->go_on != nullptr) == known);
      BOOST_TEST((reached->session == wanted->session) == known);
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
    on.options.keys = link::always(native_only(right_keys()));
    link::dialer way(on.options);
    const auto reached = co_await way.reach();
    BOOST_TEST((reached.error() == errc::seed_peer_refused));
    co_await on.tasks.join();
    BOOST_TEST(!!on.failure);
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
