// Ways to a server: a name with several addresses, and a tunnel through a tunnel.
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"
#include "support/elapsed.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>

#include <unistd.h>

using namespace gotunnel::testing;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(ways)

// The resolver gives 127.0.0.1 first: it is nearer.
BOOST_AUTO_TEST_CASE(the_second_address_is_used_when_the_first_accepts_and_is_silent) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("skipped: needs root");
    return;
  }
  const scratch_directory room;
  const loopback_listener silent;
  const std::string port = std::to_string(silent.port());
  server_process server(room, {.listen = "127.0.0.2:" + port});
  const local_service echo(local_service::echo);
  spill(room.path() / "hosts", "127.0.0.1 two.gotunnel.test\n127.0.0.2 two.gotunnel.test\n");
  const std::uint16_t public_port = free_port();
  child_options options;
  options.arguments = {"--mount", "sh",     "-c", "mount --bind hosts /etc/hosts && exec \"$@\"",
                       "sh",      program()};
  const words client{"client",
                     "-server",
                     "two.gotunnel.test:" + port,
                     "-ca",
                     server.ca_file(),
                     "-state-dir",
                     "state",
                     "-remote-port",
                     std::to_string(public_port),
                     "-local-target",
                     "127.0.0.1:" + std::to_string(echo.port())};
  options.arguments.insert(options.arguments.end(), client.begin(), client.end());
  options.environment = {{"GOTUNNEL_SECRET", test_secret}};
  options.directory = room.path().string();
  const auto begin = std::chrono::steady_clock::now();
  child_process child("unshare", options);
  const bool ready = child.wait_for(output::out, "ready: ", patience).has_value();
  BOOST_TEST_REQUIRE(ready, child.captured(output::err));
  BOOST_TEST(seconds_since(begin) < (sanitized ? 10 : 4));
  BOOST_TEST(visit(public_port, "hello") == "hello");
}

BOOST_AUTO_TEST_CASE(a_tunnel_goes_through_another) {
  const scratch_directory outer;
  const scratch_directory inner;
  server_process outer_server(outer);
  server_process inner_server(inner);
  const local_service echo(local_service::echo);
  client_process outer_client(outer, outer_server, inner_server.port());
  const std::string through = "127.0.0.1:" + std::to_string(outer_client.public_port());
  client_process inner_client(inner, inner_server, echo.port(), {.more = {"-server", through}});
  const std::string much(4'000'000, 'x');
  BOOST_TEST((visit(inner_client.public_port(), much) == much));
  BOOST_TEST(inner_client.stop() == 0);
  BOOST_TEST(outer_client.stop() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
