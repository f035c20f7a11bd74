// A client that comes back again and again leaves nothing behind, on either side. GOTUNNEL_RECONNECTS says
// how often; the long run (10'000) is done by hand.
#include "e2e/process_facts.hpp"
#include "e2e/relay.hpp"
#include "e2e/tunnel.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

using namespace gotunnel::testing;

BOOST_AUTO_TEST_SUITE(reconnect)

BOOST_AUTO_TEST_CASE(memory_and_descriptors_stay_flat) {
  const char* wanted = std::getenv("GOTUNNEL_RECONNECTS");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : sanitized ? 60 : 300;
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  relay way(server.port());
  client_process client(
      room, server, echo.port(),
      {.more = {"-server", way.address(), "-resume-window", "0"}, .max_retry_interval = "10ms"});
  const std::uint16_t port = client.public_port();
  const pid_t server_pid = server.child().pid();
  const pid_t client_pid = client.child().pid();

  const auto once_more = [&] {
    way.cut();
    client.wait_until_ready();
    BOOST_REQUIRE(client.public_port() == port);
  };
  for (int i = 0; i < rounds / 3; ++i) once_more();
  const std::size_t server_before = resident_kib(server_pid);
  const std::size_t client_before = resident_kib(client_pid);
  for (int i = 0; i < rounds; ++i) {
    once_more();
    if (i % 50 == 0) BOOST_REQUIRE(visit(port, "hello") == "hello");
  }
  const std::size_t server_after = resident_kib(server_pid);
  const std::size_t client_after = resident_kib(client_pid);
  BOOST_TEST_MESSAGE(rounds << " reconnects: server " << server_before << " -> " << server_after
                            << " KiB, client " << client_before << " -> " << client_after
                            << " KiB, descriptors " << open_descriptors(server_pid) << " and "
                            << open_descriptors(client_pid));
  if (!sanitized) {
    BOOST_TEST(server_after < server_before + 1024);
    BOOST_TEST(client_after < client_before + 1024);
  }
  BOOST_TEST(open_descriptors(server_pid) < 40u);
  BOOST_TEST(open_descriptors(client_pid) < 30u);
  BOOST_TEST(visit(port, "hello") == "hello");
}

BOOST_AUTO_TEST_SUITE_END()
