// A server that runs out of descriptors waits instead of spinning, and serves again when there are some.
#include "e2e/bulk.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

BOOST_AUTO_TEST_SUITE(descriptors)

BOOST_AUTO_TEST_CASE(no_spin_while_there_are_none_and_service_when_there_are_again) {
  const scratch_directory room;
  server_setup setup;
  setup.limits = {{RLIMIT_NOFILE, 64}};
  server_process server(room, setup);
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  child_process& process = server.child();

  // Visitors come until none is accepted any more; the kernel queues the rest.
  std::vector<loopback_socket> visitors;
  for (int i = 0; i < 100; ++i) visitors.push_back(loopback_socket::connect(client.public_port()));
  BOOST_REQUIRE(process.wait_for(output::err, "cannot accept on", patience).has_value());
  const auto spent = processor_time(process.pid());
  // A fixed span, because it is processor time over time that shows a spin.
  std::this_thread::sleep_for(2s);
  const auto span = processor_time(process.pid()) - spent;
  BOOST_TEST_MESSAGE("processor time while out of descriptors: " << span.count() << " ms in 2 s");
  BOOST_TEST((span < (sanitized ? 600ms : 200ms)));
  // Those who are in are served meanwhile.
  visitors.front().write("hello");
  BOOST_TEST(visitors.front().read(5) == "hello");

  // Half of them leave: the others get their turn.
  for (std::size_t i = 0; i < 50; ++i) visitors[i] = loopback_socket();
  for (std::size_t i = 50; i < 90; ++i) {
    visitors[i].limit(patience);
    visitors[i].write("late");
    BOOST_TEST(visitors[i].read(4) == "late");
  }
  visitors.clear();
  BOOST_TEST(visit(client.public_port(), "again") == "again");

  // Said when it began, not for every attempt.
  const std::string log = server.log();
  int said = 0;
  for (auto at = log.find("cannot accept on"); at != std::string::npos;
       at = log.find("cannot accept on", at + 1))
    ++said;
  BOOST_TEST_MESSAGE(said << " lines about it");
  BOOST_TEST(said <= 10);
}

BOOST_AUTO_TEST_SUITE_END()
