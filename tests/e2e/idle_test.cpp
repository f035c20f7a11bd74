// A tunnel that nobody uses stays up, costs no processor time and little memory, whatever it carried before.
#include "e2e/bulk.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/relay.hpp"
#include "e2e/tunnel.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel::testing;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(idle)

BOOST_AUTO_TEST_CASE(an_idle_session_lives_on_and_costs_nothing) {
  const scratch_directory room;
  server_process server(room);
  const std::string much = pattern(5).next(64UL * 1024 * 1024);
  const local_service service(local_service::one_answer(much));
  client_process client(room, server, service.port());
  BOOST_TEST((visit(client.public_port(), "before") == much));
  const auto server_spent = processor_time(server.child().pid());
  const auto client_spent = processor_time(client.child().pid());
  // Two keepalive limits (12 s each) and a little: whoever says nothing for that long is given up.
  BOOST_TEST(!client.child().wait_for(output::err, "was lost", 26s).has_value());
  BOOST_TEST(server.log().find("disconnected") == std::string::npos);
  const std::size_t server_memory = resident_kib(server.child().pid());
  const std::size_t client_memory = resident_kib(client.child().pid());
  const auto server_cost = processor_time(server.child().pid()) - server_spent;
  const auto client_cost = processor_time(client.child().pid()) - client_spent;
  BOOST_TEST_MESSAGE("idle for 26 s: server " << server_cost.count() << " ms, client " << client_cost.count()
                                              << " ms of processor time; " << server_memory << " and "
                                              << client_memory << " KiB");
  BOOST_TEST((server_cost < (sanitized ? 500ms : 100ms)));
  BOOST_TEST((client_cost < (sanitized ? 500ms : 100ms)));
  if (!sanitized) {
    BOOST_TEST(server_memory < 12 * 1024U);
    BOOST_TEST(client_memory < 12 * 1024U);
  }
  BOOST_TEST((visit(client.public_port(), "after") == much));
}

// On a metered line: whoever of the two has the larger wish.
BOOST_AUTO_TEST_CASE(a_long_keepalive_of_either_side_is_kept_by_both) {
  const words minutes{"-keepalive", "1m"};
  for (const bool at_client : {true, false}) {
    const scratch_directory room;
    server_process server(room, {.more = at_client ? words() : minutes});
    const local_service echo(local_service::echo);
    const relay way(server.port());
    words options{"-server", way.address()};
    if (at_client) options.insert(options.end(), minutes.begin(), minutes.end());
    client_process client(room, server, echo.port(), {.more = options});
    std::this_thread::sleep_for(1s); // until all that was said is acknowledged, not a wait
    const std::size_t before = way.forwarded();
    // Longer than a peer would have been waited for without the agreement.
    BOOST_TEST(!client.child().wait_for(output::err, "was lost", 13s).has_value());
    BOOST_TEST(way.forwarded() == before);
    BOOST_TEST(server.log().find("lost its connection") == std::string::npos);
    BOOST_TEST(visit(client.public_port(), "still there?") == "still there?");
  }
}

BOOST_AUTO_TEST_SUITE_END()
