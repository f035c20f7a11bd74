// A carrier whose send buffer is filled as by a line (net/send_buffer.hpp), and who waits for it.
#include "gotunnel/net/send_buffer.hpp"
#include "gotunnel/net/socket_stream.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/sockets.hpp"

#include <boost/system/errc.hpp>

#include <climits>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

asio::awaitable<void> write(net::stream& to, error_code& outcome) {
  const std::vector<std::byte> bytes(64 << 10);
  const auto sent = co_await to.write(bytes);
  if (!sent) outcome = sent.error();
}

/// Nobody reads what is sent, the kernel may hold all of it unsent, and another write waits.
struct filled_carrier {
  explicit filled_carrier(const net::executor& where)
      : ends(where, net::socket_stream::purpose::carrier), tasks(where, "test") {
    const int socket = ends.near.handle();
    const int any = INT_MAX;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &any, sizeof any);
    const std::vector<std::byte> some(65536);
    while (::send(socket, some.data(), some.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    BOOST_TEST_REQUIRE(net::send_buffer::of(socket).filled_by_line());
    tasks.spawn("write", write(ends.near, outcome));
  }

  /// So long that it has looked again more than once.
  asio::awaitable<void> look() {
    co_await pause(25ms);
    BOOST_TEST(tasks.size() == 1U);
  }

  connection ends;
  error_code outcome;
  net::task_group tasks;
};

} // namespace

BOOST_AUTO_TEST_SUITE(filled_carrier_test)

BOOST_AUTO_TEST_CASE(it_goes_on_when_the_line_does) {
  run([](log_capture&) -> asio::awaitable<void> {
    filled_carrier carrier(co_await asio::this_coro::executor);
    co_await carrier.look();
    std::vector<std::byte> some(1 << 20);
    while (carrier.tasks.size() > 0) {
      ::recv(carrier.ends.far.descriptor(), some.data(), some.size(), MSG_DONTWAIT);
      co_await pause(1ms);
    }
    BOOST_TEST(!carrier.outcome);
    co_await carrier.tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(a_close_ends_the_wait) {
  for (const auto how : {net::ending::abort, net::ending::graceful}) {
    run([how](log_capture&) -> asio::awaitable<void> {
      filled_carrier carrier(co_await asio::this_coro::executor);
      co_await carrier.look();
      carrier.ends.near.close(how);
      co_await carrier.tasks.join();
      BOOST_TEST(carrier.outcome == errc::closed);
    });
  }
}

BOOST_AUTO_TEST_CASE(a_reset_ends_the_wait) {
  run([](log_capture&) -> asio::awaitable<void> {
    filled_carrier carrier(co_await asio::this_coro::executor);
    co_await carrier.look();
    carrier.ends.far = loopback_socket::connect(carrier.ends.door.port()); // closed with bytes unread
    co_await carrier.tasks.join();
    BOOST_TEST(carrier.outcome == boost::system::errc::connection_reset);
  });
}

BOOST_AUTO_TEST_CASE(a_cancelled_wait_ends) {
  run([](log_capture&) -> asio::awaitable<void> {
    filled_carrier carrier(co_await asio::this_coro::executor);
    co_await carrier.look();
    carrier.tasks.cancel();
    co_await carrier.tasks.join();
    BOOST_TEST(carrier.tasks.size() == 0U);
  });
}

BOOST_AUTO_TEST_SUITE_END()
