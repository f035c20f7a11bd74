#include "e2e/tunnel.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel::testing;

BOOST_AUTO_TEST_SUITE(first_tunnel)

BOOST_AUTO_TEST_CASE(a_visitor_reaches_the_local_service_and_hears_the_whole_answer) {
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  BOOST_TEST(client.child().captured(output::out) ==
             "ready: 127.0.0.1:" + std::to_string(client.public_port()) +
                 " -> 127.0.0.1:" + std::to_string(echo.port()) + "\n");
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(server.stop() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
