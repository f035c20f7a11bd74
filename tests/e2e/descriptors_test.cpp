// Visitors in crowds: a server and a client that have few descriptors keep some for everything else, let a
// burst wait, refuse a crowd that stays, and serve again when it has gone.
#include "e2e/bulk.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

// Of 64 descriptors visitors get 16, and those of one port three quarters of them.
constexpr std::size_t few = 64;
constexpr std::size_t welcome = 12;

server_setup poor_server() {
  server_setup setup;
  setup.limits = {{RLIMIT_NOFILE, few}};
  setup.more = {"-max-visitors-per-address", "1000"};
  return setup;
}

std::vector<loopback_socket> crowd_at(std::uint16_t port, std::size_t size) {
  std::vector<loopback_socket> visitors;
  for (std::size_t i = 0; i < size; ++i) visitors.push_back(loopback_socket::connect(port));
  return visitors;
}

/// False when it is refused.
bool served(const loopback_socket& visitor) {
  visitor.limit(patience);
  try {
    visitor.write("hello");
    return visitor.read(5) == "hello";
  } catch (const std::system_error&) {
    return false;
  }
}

std::size_t count_of(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(descriptors)

BOOST_AUTO_TEST_CASE(a_burst_waits_for_its_turn) {
  const scratch_directory room;
  server_process server(room, poor_server());
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());

  auto visitors = crowd_at(client.public_port(), 2 * welcome);
  for (std::size_t i = 0; i < welcome; ++i) BOOST_TEST(served(visitors[i]));
  for (std::size_t i = 0; i < welcome; ++i) visitors[i] = loopback_socket();
  for (std::size_t i = welcome; i < 2 * welcome; ++i) BOOST_TEST(served(visitors[i]));
  BOOST_TEST(count_of(server.log(), "is refused") == 0U);
}

BOOST_AUTO_TEST_CASE(a_crowd_that_stays_is_refused_and_newcomers_are_served) {
  const scratch_directory room;
  server_process server(room, poor_server());
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  child_process& process = server.child();

  auto visitors = crowd_at(client.public_port(), 100);
  BOOST_TEST(served(visitors.front()));
  BOOST_REQUIRE(process.wait_for(output::err, "is refused", patience).has_value());
  const auto spent = processor_time(process.pid());
  // A fixed span, because it is processor time over time that shows a spin.
  std::this_thread::sleep_for(2s); // the span that is measured, not a wait
  const auto span = processor_time(process.pid()) - spent;
  BOOST_TEST_MESSAGE("processor time with a crowd at the door: " << span.count() << " ms in 2 s");
  BOOST_TEST((span < (sanitized ? 600ms : 200ms)));
  BOOST_TEST(served(visitors[1]));

  // Clients, their visitors and `server status` have descriptors left.
  const client_process newcomer(room, server, echo.port());
  BOOST_TEST(visit(newcomer.public_port(), "me, too") == "me, too");
  const auto status = run_program({"server", "status", "-certs", room.path() / "certs"});
  BOOST_TEST(status.code == 0);
  BOOST_TEST(status.out.find("visitors_crowded                88") != std::string::npos, status.out);

  visitors.clear();
  const auto end = clock_type::now() + patience;
  bool again = false;
  // Not at once: somebody is still leaving.
  while (!again && clock_type::now() < end) again = served(loopback_socket::connect(client.public_port()));
  BOOST_TEST(again);
  BOOST_TEST(count_of(server.log(), "is refused") <= 2U);
  BOOST_TEST(count_of(server.log(), "cannot accept") == 0U);
}

BOOST_AUTO_TEST_CASE(an_address_has_its_part_and_others_are_served) {
  const scratch_directory room;
  server_setup setup;
  setup.more = {"-max-visitors-per-address", "5"};
  server_process server(room, setup);
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  auto visitors = crowd_at(client.public_port(), 7);
  for (std::size_t i = 0; i < 5; ++i) BOOST_TEST(served(visitors[i]));
  BOOST_REQUIRE(
      server.child().wait_for(output::err, "raise -max-visitors-per-address", patience).has_value());
  BOOST_TEST(!served(visitors[5]));
}

BOOST_AUTO_TEST_CASE(a_target_that_is_the_clients_own_public_port_is_refused) {
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  const client_process neighbour(room, server, echo.port());
  client_setup setup;
  setup.remote_port = free_port();
  client_process client(room, server, setup.remote_port, setup);

  for (int round = 0; round < 3; ++round) BOOST_TEST(!served(loopback_socket::connect(setup.remote_port)));
  BOOST_REQUIRE(
      client.child().wait_for(output::err, "is this client's own public port", patience).has_value());
  BOOST_TEST(count_of(client.log(), "is this client's own public port") == 1U);
  BOOST_TEST(visit(neighbour.public_port(), "still here") == "still here");
  const auto status = run_program({"server", "status", "-json", "-certs", room.path() / "certs"});
  const auto total = status.out.find("\"visitors_total\":");
  BOOST_REQUIRE(total != std::string::npos);
  // Each comes back once and is recognized then.
  BOOST_TEST(std::stoi(status.out.substr(total + 17)) <= 2 * 3 + 1);
}

BOOST_AUTO_TEST_SUITE_END()
