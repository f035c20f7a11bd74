#include "gotunnel/net/door.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/sockets.hpp"

#include <boost/system/errc.hpp>

using namespace gotunnel;
using namespace gotunnel::testing;
using net::door;

namespace {

asio::ip::address ip(const char* text) { return asio::ip::make_address(text); }

/// Whom the listener of that place takes next, when somebody connects to that address.
asio::awaitable<std::string> visitor_at(const door& at, std::size_t place, std::string host) {
  const auto where = co_await asio::this_coro::executor;
  wire::host_port to{std::move(host), at.address().port()};
  auto near = co_await net::dial(std::move(to), 5s);
  BOOST_REQUIRE(near.has_value());
  auto got = co_await at.listeners().at(place)->accept(where);
  BOOST_REQUIRE(got.has_value());
  co_return net::to_wire(got->peer).v6 ? "IPv6" : "IPv4";
}

} // namespace

BOOST_AUTO_TEST_SUITE(door_test)

BOOST_AUTO_TEST_CASE(a_port_of_the_systems_choice_is_the_same_on_all_addresses) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    for (int i = 0; i < 20; ++i) {
      const auto opened = door::open(where, {ip("127.0.0.1"), ip("127.0.0.2"), ip("127.0.0.3")}, 0);
      BOOST_REQUIRE(opened.has_value());
      const std::string port = std::to_string(opened->address().port());
      BOOST_TEST(net::to_string(*opened) ==
                 "127.0.0.1:" + port + ", 127.0.0.2:" + port + ", 127.0.0.3:" + port);
      const auto second = co_await visitor_at(*opened, 1, "127.0.0.2");
      BOOST_TEST(second == "IPv4");
    }
  });
}

BOOST_AUTO_TEST_CASE(all_ipv6_addresses_are_those_of_ipv4_too) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    for (const door::addresses& of : {door::addresses{}, door::addresses{ip("::")},
                                      door::addresses{ip("0.0.0.0"), ip("::"), ip("127.0.0.1")}}) {
      const auto opened = door::open(where, of, 0);
      if (!opened && of.size() == 1) co_return; // a machine without IPv6
      BOOST_REQUIRE(opened.has_value());
      BOOST_TEST(opened->listeners().size() == 1U);
      BOOST_TEST(opened->has(ip("127.0.0.1")));
      const auto four = co_await visitor_at(*opened, 0, "127.0.0.1");
      BOOST_TEST(four == "IPv4");
    }
  });
}

BOOST_AUTO_TEST_CASE(an_address_that_is_not_here_is_left_out_unless_it_is_the_only_one) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto opened = door::open(where, {ip("192.0.2.1"), ip("127.0.0.1")}, 0);
    BOOST_REQUIRE(opened.has_value());
    BOOST_TEST(!opened->has(ip("192.0.2.1")));
    BOOST_TEST(opened->has(ip("127.0.0.1")));
    const auto nowhere = door::open(where, {ip("192.0.2.1")}, 0);
    BOOST_TEST((nowhere.error() == boost::system::errc::address_not_available));
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_on_one_address_is_taken) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto taken = door::open(where, {ip("127.0.0.2")}, 0);
    const auto both = door::open(where, {ip("127.0.0.1"), ip("127.0.0.2")}, taken->address().port());
    BOOST_TEST((both.error() == boost::system::errc::address_in_use));
    const auto left = door::open(where, {ip("127.0.0.1")}, taken->address().port());
    BOOST_TEST(left.has_value()); // the attempt has let go of what it had
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(it_is_paused_and_closed_as_a_whole) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto opened = door::open(where, {ip("127.0.0.1"), ip("127.0.0.2")}, 0);
    const auto listeners = opened->listeners();
    net::task_group tasks(where, "test");
    std::size_t accepted = 0;
    std::size_t ended = 0;
    const auto accept_all = [&](door::listener_ptr from) -> asio::awaitable<void> {
      for (;;) {
        auto next = co_await from->accept(where);
        if (!next) break;
        ++accepted;
      }
      ++ended;
    };
    for (const auto& each : listeners) tasks.spawn("accept", accept_all(each));
    co_await yield(5);
    opened->pause();
    const auto visitor = loopback_socket::connect(opened->address().port());
    co_await pause(20ms);
    BOOST_TEST(accepted == 0U);
    opened->resume();
    co_await until([&] { return accepted == 1; });
    opened->close();
    BOOST_TEST(!*opened);
    co_await tasks.join();
    BOOST_TEST(ended == 2U);
  });
}

BOOST_AUTO_TEST_SUITE_END()
