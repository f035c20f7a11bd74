#include "gotunnel/net/tcp_options.hpp"

#include "support/loopback.hpp"

#include <boost/test/unit_test.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

int option_of(const loopback_socket& socket, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  BOOST_TEST(::getsockopt(socket.descriptor(), level, name, &value, &size) == 0);
  return value;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tcp_options_test)

BOOST_AUTO_TEST_CASE(what_a_listener_accepts_inherits_them) {
  const loopback_listener door;
  net::tune_tcp(door.descriptor());
  const auto visitor = loopback_socket::connect(door.port());
  const auto accepted = door.accept();
  BOOST_TEST(option_of(accepted, IPPROTO_TCP, TCP_NODELAY) == 1);
  BOOST_TEST(option_of(accepted, IPPROTO_TCP, TCP_INQ) == 1);
  BOOST_TEST(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE) == 1);
  BOOST_TEST(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
  BOOST_TEST(option_of(accepted, IPPROTO_TCP, TCP_KEEPINTVL) == 15);
  BOOST_TEST(option_of(accepted, IPPROTO_TCP, TCP_KEEPCNT) == 4);
  BOOST_TEST(option_of(visitor, IPPROTO_TCP, TCP_INQ) == 0);
}

BOOST_AUTO_TEST_CASE(nobody_asks_whether_this_machine_is_there) {
  const loopback_listener door;
  const auto near = loopback_socket::connect(door.port());
  net::tune_near_tcp(near.descriptor());
  BOOST_TEST(option_of(near, IPPROTO_TCP, TCP_NODELAY) == 1);
  BOOST_TEST(option_of(near, IPPROTO_TCP, TCP_INQ) == 1);
  BOOST_TEST(option_of(near, SOL_SOCKET, SO_KEEPALIVE) == 0);
}

BOOST_AUTO_TEST_CASE(an_ack_waits_for_the_bytes_that_go_with_it) {
  const loopback_socket fresh(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  BOOST_TEST(option_of(fresh, IPPROTO_TCP, TCP_QUICKACK) == 1);
  net::let_ack_wait(fresh.descriptor());
  BOOST_TEST(option_of(fresh, IPPROTO_TCP, TCP_QUICKACK) == 0);
}

BOOST_AUTO_TEST_CASE(a_carrier_has_a_short_queue_and_finds_out_that_it_is_dead) {
  const loopback_listener door;
  const auto carrier = loopback_socket::connect(door.port());
  net::tune_carrier(carrier.descriptor());
  BOOST_TEST(option_of(carrier, IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 128 * 1024);
  BOOST_TEST(option_of(carrier, IPPROTO_TCP, TCP_USER_TIMEOUT) == 14'000);
}

BOOST_AUTO_TEST_CASE(a_carrier_is_not_probed_by_the_kernel) {
  const loopback_listener door;
  const auto socket = loopback_socket::connect(door.port());
  net::tune_tcp(socket.descriptor());
  net::tune_carrier(socket.descriptor());
  BOOST_TEST(option_of(socket, SOL_SOCKET, SO_KEEPALIVE) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
