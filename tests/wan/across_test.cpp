// The tunnel across a long line: server at the left end, client at the right one.
#include "e2e/bulk.hpp"
#include "e2e/tunnel.hpp"
#include "wan/wan_link.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>

using namespace gotunnel::testing;

namespace {

constexpr std::size_t size = 2UL * 1024 * 1024;

bool possible(boost::unit_test::test_unit_id) { return lines_possible(); }

} // namespace

BOOST_AUTO_TEST_SUITE(wan_across, *boost::unit_test::precondition(possible))

BOOST_AUTO_TEST_CASE(a_visitor_at_the_left_end_fetches_from_the_right_one_over_a_lossy_line) {
  const scratch_directory room;
  const wan_link link({"--delay", "20ms", "--loss", "1%", "--rate", "100mbit", "--seed", "7"});
  const inside right(link.right());
  std::optional<server_process> server;
  {
    const inside left(link.left());
    server.emplace(room, server_setup{.listen = left_ip + ":0"});
  }
  const local_service files([](loopback_socket& visitor) { send_pattern(visitor, size, 1); });
  client_process client(room, *server, files.port(),
                        {.more = {"-server", left_ip + ":" + std::to_string(server->port())}});
  {
    const inside left(link.left());
    const auto visitor = loopback_socket::connect(client.public_port());
    BOOST_TEST(receive_pattern(visitor, 1) == size);
  }
  // Else the line was better than it should have been.
  BOOST_TEST(link.tell("stats to-left").find("lost 0 ") == std::string::npos);
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(server->stop() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
