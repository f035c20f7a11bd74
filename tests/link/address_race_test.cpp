#include "gotunnel/link/address_race.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include "support/elapsed.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/tls_contexts.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

/// A port of the loopback: what it does with each connection, in their order, the last with the rest.
class fake_server {
public:
  enum class manner { serves, silent, slow };

  fake_server(const net::executor& where, std::vector<manner> manners,
              const tls_contexts& contexts = tls_contexts::common())
      : door_(*net::tcp_listener::open(where, {"127.0.0.1", 0})), manners_(std::move(manners)),
        tls_(*contexts.server), tasks_(where, "test") {
    tasks_.spawn("accept", accept_all());
  }
  [[nodiscard]] asio::ip::tcp::endpoint address() const { return door_.address(); }
  [[nodiscard]] std::size_t accepted() const noexcept { return accepted_; }
  [[nodiscard]] int last_segment() const noexcept { return last_segment_; }
  asio::awaitable<void> stop() {
    door_.close();
    tasks_.cancel();
    co_await tasks_.join();
  }
  std::vector<std::byte> overheard; ///< by silent connections, to their end

private:
  asio::awaitable<void> accept_all() {
    const auto where = co_await asio::this_coro::executor;
    for (;;) {
      auto next = co_await door_.accept(where);
      if (!next) co_return;
      const manner as = manners_[std::min(accepted_, manners_.size() - 1)];
      ++accepted_;
      socklen_t size = sizeof last_segment_;
      ::getsockopt(next->socket.native_handle(), IPPROTO_TCP, TCP_MAXSEG, &last_segment_, &size);
      auto socket = std::make_unique<net::socket_stream>(net::any_socket(std::move(next->socket)),
                                                         net::socket_stream::purpose::carrier, "client");
      if (as == manner::silent)
        tasks_.spawn("overhear", overhear(std::move(socket)));
      else
        tasks_.spawn("serve", serve(std::move(socket), as == manner::slow ? 1500ms : 0ms));
    }
  }
  asio::awaitable<void> overhear(net::stream_ptr from) {
    for (;;) {
      const auto bytes = co_await from->read();
      if (!bytes || bytes->empty()) co_return;
      overheard.insert(overheard.end(), bytes->begin(), bytes->end());
      from->consume(bytes->size());
    }
  }
  asio::awaitable<void> serve(net::stream_ptr socket, duration delay) {
    co_await net::sleep_for(delay);
    net::tls_stream stream(tls_, std::move(socket));
    const auto shaken = co_await stream.handshake();
    if (!shaken) co_return;
    [[maybe_unused]] const auto end = co_await stream.read();
  }

  net::tcp_listener door_;
  std::vector<manner> manners_;
  crypto::tls_context tls_;
  net::task_group tasks_;
  std::size_t accepted_ = 0;
  int last_segment_ = 0;
};

using manner = fake_server::manner;

time_point in(duration time) { return std::chrono::steady_clock::now() + time; }

asio::ip::tcp::endpoint unused_address() {
  asio::io_context context;
  return net::tcp_listener::open(context.get_executor(), {"127.0.0.1", 0})->address();
}

struct bench {
  bench(const net::executor& where, net::endpoints addresses)
      : race(where, *tls_contexts::common().client, std::move(addresses), "the server", 0) {}
  link::address_race race;
};

} // namespace

BOOST_AUTO_TEST_SUITE(address_race_test)

BOOST_AUTO_TEST_CASE(an_address_that_accepts_and_is_silent_does_not_win) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    fake_server silent(where, {manner::silent});
    fake_server good(where, {manner::serves});
    bench on(where, {silent.address(), good.address()});
    const auto begin = std::chrono::steady_clock::now();
    auto won = co_await on.race.next(in(10s));
    BOOST_TEST_REQUIRE(won.has_value());
    BOOST_TEST(seconds_since(begin) < 2.5);
    BOOST_TEST(on.race.more()); // the silent one may be what helps if this one does not
    BOOST_TEST(good.accepted() == 1U);
    co_await pause(20ms);
    // A client hello and nothing else: handshake records only.
    BOOST_TEST_REQUIRE(silent.overheard.size() > 5U);
    BOOST_TEST((silent.overheard[0] == std::byte{0x16}));
    BOOST_TEST(silent.overheard.size() == 5U + load_be16(bytes_view(silent.overheard).subspan(3, 2)));
    co_await silent.stop();
    co_await good.stop();
  });
}

BOOST_AUTO_TEST_CASE(another_server_at_the_first_address_costs_no_time) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const tls_contexts others;
    fake_server foreign(where, {manner::serves}, others);
    fake_server good(where, {manner::serves});
    bench on(where, {foreign.address(), unused_address(), good.address()});
    const auto begin = std::chrono::steady_clock::now();
    const auto won = co_await on.race.next(in(10s));
    BOOST_TEST(won.has_value());
    BOOST_TEST(seconds_since(begin) < 1);
    co_await foreign.stop();
    co_await good.stop();
  });
}

BOOST_AUTO_TEST_CASE(the_failure_that_says_most_is_told) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const tls_contexts others;
    fake_server foreign(where, {manner::serves}, others);
    fake_server silent(where, {manner::silent});
    bench on(where, {foreign.address(), unused_address(), silent.address()});
    const auto won = co_await on.race.next(in(500ms));
    BOOST_TEST((won.error() == errc::untrusted_server));
    BOOST_TEST(!on.race.failure().detail().empty());
    bench mute(where, {silent.address()});
    const auto late = co_await mute.race.next(in(50ms));
    BOOST_TEST((late.error() == errc::timed_out));
    bench absent(where, {unused_address()});
    const auto refused = co_await absent.race.next(in(10s));
    BOOST_TEST((refused.error() == asio::error::connection_refused));
    BOOST_TEST(!absent.race.more());
    co_await foreign.stop();
    co_await silent.stop();
  });
}

BOOST_AUTO_TEST_CASE(a_winner_of_no_use_is_followed_by_the_rest) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    fake_server one(where, {manner::serves});
    fake_server two(where, {manner::serves});
    bench on(where, {one.address(), two.address()});
    for (int i = 0; i < 2; ++i) {
      BOOST_TEST(on.race.more());
      const auto won = co_await on.race.next(in(10s));
      BOOST_TEST(won.has_value());
    }
    BOOST_TEST(!on.race.more());
    BOOST_TEST(one.accepted() == 1U);
    BOOST_TEST(two.accepted() == 1U);
    co_await one.stop();
    co_await two.stop();
  });
}

// An interface that comes and goes: what is under way may be what gets through.
BOOST_AUTO_TEST_CASE(a_change_of_the_way_ends_no_attempt) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    fake_server slow(where, {manner::slow});
    bench on(where, {slow.address()});
    net::task_group tasks(where, "test");
    tasks.spawn("churn", [](link::address_race& race) -> asio::awaitable<void> {
      for (;;) {
        race.again();
        co_await net::sleep_for(10ms);
      }
    }(on.race));
    const auto won = co_await on.race.next(in(10s));
    BOOST_TEST(won.has_value());
    BOOST_TEST(slow.accepted() == 2U); // one more beside it, a second later
    tasks.cancel();
    co_await tasks.join();
    co_await slow.stop();
  });
}

BOOST_AUTO_TEST_CASE(a_dead_way_is_left_for_a_new_one) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    fake_server server(where, {manner::silent, manner::serves});
    bench on(where, {server.address()});
    const net::deadline changed(where, 1100ms, [&on] { on.race.again(); });
    const auto begin = std::chrono::steady_clock::now();
    const auto won = co_await on.race.next(in(10s));
    BOOST_TEST(won.has_value());
    BOOST_TEST(seconds_since(begin) < 2.5);
    co_await server.stop();
  });
}

BOOST_AUTO_TEST_CASE(silence_after_the_connect_is_tried_with_small_segments) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    fake_server server(where, {manner::silent, manner::serves});
    bench on(where, {server.address()});
    const auto won = co_await on.race.next(in(10s));
    BOOST_TEST_REQUIRE(won.has_value());
    BOOST_TEST(won->max_segment == net::smallest_segment);
    BOOST_TEST(server.last_segment() <= net::smallest_segment);
    co_await server.stop();
  });
}

BOOST_AUTO_TEST_CASE(a_cancelled_race_leaves_nothing) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    fake_server silent(where, {manner::silent});
    bench on(where, {silent.address(), silent.address()});
    net::task_group tasks(where, "test");
    tasks.spawn("race", [](link::address_race& race) -> asio::awaitable<void> {
      [[maybe_unused]] const auto won = co_await race.next(in(1h));
    }(on.race));
    co_await pause(20ms);
    tasks.cancel();
    co_await tasks.join();
    co_await silent.stop();
  });
}

BOOST_AUTO_TEST_SUITE_END()
