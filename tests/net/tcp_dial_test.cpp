#include "gotunnel/net/tcp.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/scratch_directory.hpp"
#include "support/sockets.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/system/errc.hpp>

#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// A port of 127.0.0.1 that neither accepts nor refuses: its queue of connections is full.
class silent_port {
public:
  silent_port() : door_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    auto* generic = reinterpret_cast<sockaddr*>(&name);
    BOOST_REQUIRE(::bind(door_.descriptor(), generic, size) == 0);
    BOOST_REQUIRE(::listen(door_.descriptor(), 0) == 0);
    ::getsockname(door_.descriptor(), generic, &size);
    port = ntohs(name.sin_port);
    for (int i = 0; i < 4; ++i) {
      queued_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(queued_.back().descriptor(), generic, size);
    }
  }
  std::uint16_t port = 0;

private:
  loopback_socket door_;
  std::vector<loopback_socket> queued_;
};

net::task<net::any_socket> dial_host(std::string host, std::uint16_t port, duration limit) {
  wire::host_port to{std::move(host), port};
  co_return co_await net::dial(std::move(to), limit);
}

net::task<net::any_socket> dial_path(std::string path, duration limit) {
  wire::unix_path to{std::move(path)};
  co_return co_await net::dial(std::move(to), limit);
}

asio::awaitable<void> dial_and_note(wire::host_port to, error_code& outcome) {
  auto socket = co_await net::dial(to, 1h);
  if (!socket) outcome = socket.error();
}

std::uint16_t unused_port() {
  asio::io_context context;
  return net::tcp_listener::open(context.get_executor(), {"127.0.0.1", 0})->address().port();
}

} // namespace

BOOST_AUTO_TEST_SUITE(tcp_dial_test)

BOOST_AUTO_TEST_CASE(literal_addresses_and_names_lead_to_the_listener) {
  run([](log_capture&) -> asio::awaitable<void> {
    const loopback_listener door; // IPv4 only: `localhost` may mean ::1 first, which refuses
    for (const char* host : {"127.0.0.1", "::ffff:127.0.0.1", "localhost"}) {
      auto socket = co_await dial_host(host, door.port(), 10s);
      BOOST_TEST_REQUIRE(socket.has_value(), host);
      net::socket_stream stream(std::move(*socket), net::socket_stream::purpose::visitor, host);
      const auto far = door.accept();
      far.write("x");
      const auto got = co_await stream.read();
      BOOST_TEST(as_text(got.value()) == "x");
    }
  });
}

BOOST_AUTO_TEST_CASE(ipv6_is_dialled_where_there_is_one) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    auto door = net::tcp_listener::open(where, {"::1", 0});
    if (!door) co_return; // a machine without IPv6
    for (const char* host : {"::1", "localhost"}) {
      auto socket = co_await dial_host(host, door->address().port(), 10s);
      // Not every /etc/hosts gives localhost its IPv6 address.
      if (std::string_view(host) == "::1") BOOST_TEST(socket.has_value());
    }
  });
}

BOOST_AUTO_TEST_CASE(a_refusal_is_the_error_of_the_system) {
  run([](log_capture&) -> asio::awaitable<void> {
    const std::uint16_t port = unused_port();
    for (const char* host : {"127.0.0.1", "localhost"}) {
      const auto socket = co_await dial_host(host, port, 10s);
      BOOST_TEST((socket.error() == boost::system::errc::connection_refused));
    }
    const auto nobody = co_await dial_host("no..such..name", port, 10s);
    BOOST_TEST(!nobody.has_value());
    BOOST_TEST((nobody.error() != errc::timed_out));
  });
}

BOOST_AUTO_TEST_CASE(an_address_that_never_answers_times_out) {
  run([](log_capture&) -> asio::awaitable<void> {
    const silent_port silent;
    const auto socket = co_await dial_host("127.0.0.1", silent.port, 30ms);
    BOOST_TEST((socket.error() == errc::timed_out));
  });
}

BOOST_AUTO_TEST_CASE(a_cancelled_dial_ends_at_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    const silent_port silent;
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    error_code outcome;
    tasks.spawn("literal", dial_and_note({"127.0.0.1", silent.port}, outcome));
    tasks.spawn("name", dial_and_note({"localhost", silent.port}, outcome));
    co_await pause(10ms);
    tasks.cancel();
    co_await tasks.join();
    BOOST_TEST((!outcome || outcome == boost::system::errc::connection_refused)); // the latter: ::1
  });
}

BOOST_AUTO_TEST_CASE(a_unix_socket_is_dialled_by_its_path) {
  run([](log_capture&) -> asio::awaitable<void> {
    using local = asio::local::stream_protocol;
    const auto where = co_await asio::this_coro::executor;
    const scratch_directory directory;
    const std::string path = directory.file("service");
    const auto missing = co_await dial_path(path, 5s);
    BOOST_TEST((missing.error() == boost::system::errc::no_such_file_or_directory));

    local::acceptor door(where, local::endpoint(path));
    auto socket = co_await dial_path(path, 5s);
    BOOST_REQUIRE(socket.has_value());
    local::socket far(where);
    door.accept(far);
    error_code ec;
    far.write_some(asio::buffer("hi", 2), ec);
    net::socket_stream stream(std::move(*socket), net::socket_stream::purpose::visitor, path);
    const auto got = co_await stream.read();
    BOOST_TEST(as_text(got.value()) == "hi");
  });
}

BOOST_AUTO_TEST_SUITE_END()
