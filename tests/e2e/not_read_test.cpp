// Visitors that do not read: they cost themselves their connections, not the session, nor anybody else.
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"
#include "support/elapsed.hpp"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

/// What the first byte of the visitor asks for: a flood, or an echo of the others.
void flood_or_echo(loopback_socket& visitor) {
  if (visitor.read(1) != "f") return local_service::echo(visitor);
  visitor.limit(60s);
  const std::string block(64UL * 1024, 'x');
  for (;;) visitor.write(block);
}

/// A visitor whose own kernel takes as little as can be, and who asks for the flood.
loopback_socket thirsty_visitor(std::uint16_t port) {
  loopback_socket made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int least = 1;
  ::setsockopt(made.descriptor(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_TEST_REQUIRE(::connect(made.descriptor(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  made.write("f");
  return made;
}

bool broken(const loopback_socket& visitor, int wait_ms) {
  pollfd question{visitor.descriptor(), 0, 0}; // POLLERR and POLLHUP come unasked
  return ::poll(&question, 1, wait_ms) == 1;
}

} // namespace

BOOST_AUTO_TEST_SUITE(not_read)

// What 400 streams begin with is more than 16 MiB, though each begins with its share. The client's kernel
// would end the session after 14 s in which the carrier is not read.
BOOST_AUTO_TEST_CASE(visitors_that_do_not_read_are_reset_and_the_session_lives_on) {
  const scratch_directory room;
  server_process server(room, {.more = {"-memory-limit", "16M"}});
  const local_service service(flood_or_echo);
  client_process client(room, server, service.port());
  std::vector<loopback_socket> thirsty;
  for (int i = 0; i < 400; ++i) thirsty.push_back(thirsty_visitor(client.public_port()));
  const auto start = clock_type::now();
  BOOST_TEST_REQUIRE(
      server.child().wait_for(output::err, "streams that were not read are reset", 90s).has_value());
  BOOST_TEST_MESSAGE("streams were reset after " << seconds_since(start) << " s");
  // From then on others are served again ...
  BOOST_TEST(visit(client.public_port(), "echo: still here?") == "cho: still here?");
  // ... and those whose streams are gone learn it, though they do not read.
  std::size_t gone = 0;
  while (gone < 16 && clock_type::now() - start < 150s) {
    gone = 0;
    for (const auto& each : thirsty) gone += broken(each, 0) ? 1U : 0U;
    [[maybe_unused]] const bool one_more = broken(thirsty[gone % thirsty.size()], 20);
  }
  BOOST_TEST_MESSAGE(gone << " visitors were broken off after " << seconds_since(start) << " s");
  BOOST_TEST(gone >= 16U);
  // Longer than TCP_USER_TIMEOUT, and still the same session.
  while (clock_type::now() - start < 16s) {
    BOOST_TEST_REQUIRE(visit(client.public_port(), "echo: and now?") == "cho: and now?");
    [[maybe_unused]] const bool gone_too = broken(thirsty.back(), 500);
  }
  BOOST_TEST(client.log().find("was lost") == std::string::npos, client.log() << server.log());
  if (!sanitized) BOOST_TEST(peak_kib(server.child().pid()) < 200UL * 1024);
  thirsty.clear();
  BOOST_TEST(server.stop() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
