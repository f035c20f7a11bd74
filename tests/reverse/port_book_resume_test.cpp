// A port whose holders wait for their clients to come back.
#include "reverse/book_bench.hpp"
#include "support/refuses.hpp"

#include <set>
#include <vector>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;
namespace code = wire::control_code;

namespace {

constexpr duration hold = 60ms;
constexpr const char* all_ports = "1-65535";
const wire::cidr_set anybody;

asio::awaitable<void> until_refused(std::uint16_t port) {
  const auto refused = [port] { return refuses(port); };
  co_await until(refused);
}

} // namespace

BOOST_AUTO_TEST_SUITE(port_book_resume_test)

BOOST_AUTO_TEST_CASE(visitors_come_for_the_hold_are_then_refused_and_come_again) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor, all_ports, anybody, hold);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    on.book.away(*holder);
    const auto early = loopback_socket::connect(port);
    co_await until([&] { return holder->visitors.size() == 1; });
    co_await until_refused(port);
    on.book.back(*holder);
    BOOST_TEST(!refuses(port));
    const auto late = loopback_socket::connect(port);
    co_await until([&] { return holder->visitors.size() >= 2; });
    co_await on.finish();
    BOOST_TEST(refuses(port));
  });
}

BOOST_AUTO_TEST_CASE(who_is_back_within_the_hold_is_not_missed) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor, all_ports, anybody, hold);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    on.book.away(*holder);
    on.book.back(*holder);
    co_await pause(2 * hold);
    BOOST_TEST(!refuses(port));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(one_carrier_that_is_there_keeps_the_port_open) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor, all_ports, anybody, hold);
    const auto one = on.holder();
    const auto two = on.holder();
    const auto port = co_await on.bind(one, 0, 1, 1, 1);
    const auto joined = co_await on.bind(two, port, 1, 1, 2);
    BOOST_TEST(joined == port);
    on.book.away(*one);
    co_await pause(2 * hold);
    const auto visitor = loopback_socket::connect(port);
    co_await until([&] { return two->visitors.size() == 1; });
    BOOST_TEST(one->visitors.empty());
    // The one that is there leaves: now all are away.
    on.book.release_all(*two);
    co_await until_refused(port);
    on.book.back(*one);
    BOOST_TEST(!refuses(port));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(the_port_stays_reserved_until_its_holder_is_gone) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor, all_ports, anybody, 0ms);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    on.book.away(*holder);
    co_await until_refused(port);
    const auto foreign = co_await on.bind(on.holder(), port, 2, 1);
    BOOST_TEST(foreign == 0);
    BOOST_TEST(on.refusal.code == code::port_held);
    on.book.release_all(*holder);
    const auto freed = co_await on.bind(on.holder(), port, 2, 1);
    BOOST_TEST(freed == port);
    on.book.back(*holder); // it holds nothing any more
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(another_session_of_the_same_client_opens_the_port_again) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor, all_ports, anybody, 0ms);
    const auto former = on.holder();
    const auto next = on.holder();
    former->alive = false;
    const auto port = co_await on.bind(former, 0, 1, 1);
    on.book.away(*former);
    co_await until_refused(port);
    const auto taken = co_await on.bind(next, port, 1, 2);
    BOOST_TEST(taken == port);
    BOOST_TEST(former->replaced == 1);
    BOOST_TEST(!refuses(port));
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_port_that_somebody_else_took_meanwhile_is_missed_and_opened_when_it_is_left) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    book_bench on(where, all_ports, anybody, 0ms);
    const auto holder = on.holder();
    const auto port = co_await on.bind(holder, 0, 1, 1);
    on.book.away(*holder);
    co_await until_refused(port);
    auto squatter = net::tcp_listener::open(where, {"127.0.0.1", port});
    BOOST_TEST_REQUIRE(squatter.has_value());
    on.book.back(*holder);
    log.expect("cannot listen on port");
    squatter->close();
    const auto listened_on = [port] { return !refuses(port); };
    co_await until(listened_on);
    co_await on.finish();
  });
}

// The kernel takes it for free: 200 of 28,000 in use, asked 400 times.
BOOST_AUTO_TEST_CASE(the_servers_choice_is_never_a_port_that_is_reserved) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor, all_ports, anybody, 0ms);
    std::set<std::uint16_t> reserved;
    std::vector<std::shared_ptr<fake_holder>> away;
    for (int i = 0; i < 200; ++i) {
      away.push_back(on.holder());
      const auto port = co_await on.bind(away.back(), 0, 10 + i / 50, 1); // 64 are the most of one client
      BOOST_TEST_REQUIRE(port != 0);
      reserved.insert(port);
      on.book.away(*away.back());
    }
    co_await until_refused(*reserved.begin());
    for (int i = 0; i < 400; ++i) {
      const auto other = on.holder();
      const auto port = co_await on.bind(other, 0, 2, 1);
      BOOST_TEST_REQUIRE(port != 0);
      BOOST_TEST_REQUIRE(!reserved.contains(port));
      on.book.release_all(*other);
    }
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
