#include "gotunnel/net/tcp.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/sockets.hpp"

#include <boost/system/errc.hpp>

#include <ctime>
#include <optional>
#include <system_error>

#include <fcntl.h>
#include <sys/resource.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using net::tcp_listener;
using tcp = asio::ip::tcp;

namespace {

/// No descriptor can be opened while this lives.
class no_descriptors {
public:
  no_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(lowest_free);
    const rlimit now{static_cast<rlim_t>(lowest_free), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  no_descriptors(const no_descriptors&) = delete;
  no_descriptors& operator=(const no_descriptors&) = delete;
  ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
  rlimit before_{};
};

asio::awaitable<void> accept_one(tcp_listener& from, std::optional<tcp_listener::accepted>& got,
                                 error_code& outcome) {
  auto next = co_await from.accept(co_await asio::this_coro::executor);
  if (next)
    got.emplace(std::move(*next));
  else
    outcome = next.error();
}

bool listens(int socket) {
  int does = 0;
  socklen_t size = sizeof does;
  return ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &does, &size) == 0 && does != 0;
}

bool has_ipv6() {
  asio::io_context context;
  return tcp_listener::open(context.get_executor(), {"::1", 0}).has_value();
}

} // namespace

BOOST_AUTO_TEST_SUITE(tcp_listener_test)

BOOST_AUTO_TEST_CASE(port_0_is_a_port_of_the_systems_choice_and_accepts) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    BOOST_REQUIRE(door.has_value());
    BOOST_TEST(door->address().port() != 0);
    const auto visitor = loopback_socket::connect(door->address().port());
    auto got = co_await door->accept(where);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->peer.address().to_string() == "127.0.0.1");
    error_code ec;
    BOOST_TEST(got->peer == got->socket.remote_endpoint(ec));
  });
}

BOOST_AUTO_TEST_CASE(an_accepted_socket_is_born_on_the_worker_of_its_owner) {
  run([](log_capture&) -> asio::awaitable<void> {
    asio::io_context owner;
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    const auto visitor = loopback_socket::connect(door->address().port());
    auto got = co_await door->accept(owner.get_executor());
    BOOST_REQUIRE(got.has_value());
    BOOST_CHECK(got->socket.get_executor() == net::executor(owner.get_executor()));
  });
}

BOOST_AUTO_TEST_CASE(a_socket_that_listens_already_is_adopted) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const loopback_listener theirs;
    auto door = tcp_listener::adopt(where, net::descriptor(::dup(theirs.descriptor())));
    BOOST_REQUIRE(door.has_value());
    BOOST_TEST(door->address().port() == theirs.port());
    const auto visitor = loopback_socket::connect(theirs.port());
    auto got = co_await door->accept(where);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->peer.address().to_string() == "127.0.0.1");
  });
}

BOOST_AUTO_TEST_CASE(what_is_no_listening_tcp_socket_is_not_adopted) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto refused = [&where](int number) {
      return tcp_listener::adopt(where, net::descriptor(number)).error() == asio::error::bad_descriptor;
    };
    BOOST_TEST(refused(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    BOOST_TEST(refused(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
    BOOST_TEST(refused(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    BOOST_TEST(refused(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    BOOST_TEST(refused(-1));
    co_return;
  });
}

BOOST_AUTO_TEST_CASE(a_port_in_use_and_an_address_of_another_machine_are_errors) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    const auto second = tcp_listener::open(where, {"127.0.0.1", door->address().port()});
    BOOST_TEST((second.error() == boost::system::errc::address_in_use));
    const auto everywhere = tcp_listener::open(where, {"", door->address().port()});
    BOOST_TEST((everywhere.error() == boost::system::errc::address_in_use));
    const auto elsewhere = tcp_listener::open(where, {"192.0.2.1", 0});
    BOOST_TEST((elsewhere.error() == boost::system::errc::address_not_available));
    const auto name = tcp_listener::open(where, {"localhost", 0});
    BOOST_TEST(!name.has_value());
  });
}

BOOST_AUTO_TEST_CASE(all_addresses_are_both_families_through_one_socket) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"", 0});
    BOOST_REQUIRE(door.has_value());
    const auto four = loopback_socket::connect(door->address().port());
    auto got = co_await door->accept(where);
    BOOST_REQUIRE(got.has_value());
    // A visitor over IPv4 is one for people and on the wire, whatever the socket is.
    BOOST_TEST(net::to_string(got->peer).starts_with("127.0.0.1:"));
    BOOST_TEST(!net::to_wire(got->peer).v6);
    if (!has_ipv6()) co_return;
    wire::host_port loopback{"::1", door->address().port()};
    auto six = co_await net::dial(std::move(loopback), 5s);
    BOOST_REQUIRE(six.has_value());
    auto got_six = co_await door->accept(where);
    BOOST_REQUIRE(got_six.has_value());
    BOOST_TEST(net::to_string(got_six->peer).starts_with("[::1]:"));
    BOOST_TEST(net::to_wire(got_six->peer).v6);
  });
}

BOOST_AUTO_TEST_CASE(closing_and_cancelling_end_an_accept) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    std::optional<tcp_listener::accepted> got;
    error_code outcome;
    net::task_group cancelled(where, "test");
    cancelled.spawn("accept", accept_one(*door, got, outcome));
    co_await yield(5);
    cancelled.cancel();
    co_await cancelled.join();
    BOOST_TEST(!got.has_value());

    outcome = {};
    net::task_group closed(where, "test");
    closed.spawn("accept", accept_one(*door, got, outcome));
    co_await yield(5);
    door->close();
    co_await closed.join();
    BOOST_TEST((outcome == errc::closed));
    const auto after = co_await door->accept(where);
    BOOST_TEST((after.error() == errc::closed));
  });
}

BOOST_AUTO_TEST_CASE(without_descriptors_it_says_so_once_and_waits_for_better_times) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    const auto visitor = loopback_socket::connect(door->address().port());
    std::optional<tcp_listener::accepted> got;
    error_code outcome;
    net::task_group tasks(where, "test");
    {
      const no_descriptors poor;
      tasks.spawn("accept", accept_one(*door, got, outcome));
      co_await until([&log] { return log.take("cannot accept on 127.0.0.1:"); });
      co_await pause(60ms); // over the first pause: the second attempt fails too, in silence
      BOOST_TEST(!got.has_value());
    }
    co_await tasks.join();
    BOOST_TEST(got.has_value());
  });
}

BOOST_AUTO_TEST_CASE(closed_while_it_waits_for_better_times_it_ends) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    const auto visitor = loopback_socket::connect(door->address().port());
    std::optional<tcp_listener::accepted> got;
    error_code outcome;
    net::task_group tasks(where, "test");
    const no_descriptors poor;
    tasks.spawn("accept", accept_one(*door, got, outcome));
    co_await until([&log] { return log.take("cannot accept on"); });
    door->close();
    co_await tasks.join();
    BOOST_TEST((outcome == errc::closed));
  });
}

BOOST_AUTO_TEST_CASE(a_socket_that_was_made_to_listen_no_more_listens_again) {
  // An address of the system's choice and one that was asked for: only the latter stays with a dead socket.
  for (const bool chosen : {true, false}) {
    run([chosen](log_capture& log) -> asio::awaitable<void> {
      const auto where = co_await asio::this_coro::executor;
      auto door = tcp_listener::open(where, {"127.0.0.1", chosen ? std::uint16_t{0} : free_port()});
      BOOST_TEST_REQUIRE(door.has_value());
      const auto address = door->address();
      for (int round = 0; round < 2; ++round) {
        std::optional<tcp_listener::accepted> got;
        error_code outcome;
        net::task_group tasks(where, "test");
        tasks.spawn("accept", accept_one(*door, got, outcome));
        co_await yield(5);
        BOOST_TEST(::shutdown(door->handle(), SHUT_RD) == 0);
        co_await until([&log] { return log.take("nobody listens on 127.0.0.1:"); });
        std::optional<loopback_socket> visitor;
        co_await until([&] {
          try {
            visitor = loopback_socket::connect(address.port());
          } catch (const std::system_error&) { // not yet
          }
          return visitor.has_value();
        });
        co_await tasks.join();
        BOOST_TEST(got.has_value());
        BOOST_TEST(door->address() == address);
      }
    });
  }
}

BOOST_AUTO_TEST_CASE(an_adopted_socket_listens_again_for_all_who_have_it) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const auto port = free_port();
    const auto theirs = tcp_listener::open(where, {"", port});
    BOOST_TEST_REQUIRE(theirs.has_value());
    const int copy = ::dup(const_cast<tcp_listener&>(*theirs).handle());
    auto door = tcp_listener::adopt(where, net::descriptor(copy));
    BOOST_TEST_REQUIRE(door.has_value());
    std::optional<tcp_listener::accepted> got;
    error_code outcome;
    net::task_group tasks(where, "test");
    tasks.spawn("accept", accept_one(*door, got, outcome));
    co_await yield(5);
    BOOST_TEST(::shutdown(copy, SHUT_RD) == 0);
    co_await until([&log] { return log.take("nobody listens on"); });
    co_await until([&] { return listens(copy); });
    BOOST_TEST(door->handle() == copy);
    BOOST_TEST(listens(const_cast<tcp_listener&>(*theirs).handle()));
    const auto visitor = loopback_socket::connect(port);
    co_await tasks.join();
    BOOST_TEST(got.has_value());
  });
}

BOOST_AUTO_TEST_CASE(an_address_that_another_has_meanwhile_is_waited_for) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    const auto port = door->address().port();
    std::optional<tcp_listener::accepted> got;
    error_code outcome;
    net::task_group tasks(where, "test");
    tasks.spawn("accept", accept_one(*door, got, outcome));
    co_await yield(5);
    // Dead, and its address free for others: as a socket whose port the system chose.
    BOOST_TEST(::shutdown(door->handle(), SHUT_RD) == 0);
    std::optional<tcp_listener> thief;
    auto opened = tcp_listener::open(where, {"127.0.0.1", port});
    BOOST_TEST_REQUIRE(opened.has_value());
    thief.emplace(std::move(*opened));
    co_await until([&log] { return log.take("nobody listens on"); });
    co_await until([&log] { return log.take("cannot listen on 127.0.0.1:"); });
    const auto spent = std::clock();
    co_await pause(200ms);
    BOOST_TEST(1000 * (std::clock() - spent) / CLOCKS_PER_SEC < 100); // milliseconds: it does not spin
    thief->close();
    std::optional<loopback_socket> visitor;
    co_await until([&] {
      try {
        visitor = loopback_socket::connect(port);
      } catch (const std::system_error&) { // not yet
      }
      return visitor.has_value();
    });
    co_await tasks.join();
    BOOST_TEST(got.has_value());
  });
}

BOOST_AUTO_TEST_CASE(closed_while_it_cannot_listen_again_it_ends) {
  run([](log_capture& log) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    std::optional<tcp_listener::accepted> got;
    error_code outcome;
    net::task_group tasks(where, "test");
    tasks.spawn("accept", accept_one(*door, got, outcome));
    co_await yield(5);
    BOOST_TEST(::shutdown(door->handle(), SHUT_RD) == 0);
    co_await until([&log] { return log.take("nobody listens on"); });
    door->close();
    co_await tasks.join();
    BOOST_TEST((outcome == errc::closed));
  });
}

BOOST_AUTO_TEST_CASE(paused_it_takes_nobody_and_resumed_whoever_has_waited) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    std::optional<tcp_listener::accepted> got;
    error_code outcome;
    net::task_group tasks(where, "test");
    tasks.spawn("accept", accept_one(*door, got, outcome));
    co_await yield(5);
    door->pause();
    const auto visitor = loopback_socket::connect(door->address().port());
    co_await pause(20ms);
    BOOST_TEST(!got.has_value());
    BOOST_TEST(!outcome.failed());
    door->resume();
    co_await tasks.join();
    BOOST_TEST(got.has_value());

    door->pause();
    net::task_group closed(where, "test");
    closed.spawn("accept", accept_one(*door, got, outcome));
    co_await yield(5);
    door->close();
    co_await closed.join();
    BOOST_TEST((outcome == errc::closed));
  });
}

BOOST_AUTO_TEST_CASE(closing_one_of_two_copies_takes_nothing_from_the_other) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = tcp_listener::open(where, {"127.0.0.1", 0});
    auto copy = tcp_listener::adopt(where, net::descriptor(::dup(door->handle())));
    BOOST_TEST_REQUIRE(copy.has_value());
    door->close();
    const auto visitor = loopback_socket::connect(copy->address().port());
    auto got = co_await copy->accept(where);
    BOOST_TEST(got.has_value());
  });
}

BOOST_AUTO_TEST_SUITE_END()
