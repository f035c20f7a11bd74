// A client with several carriers: they share the visitors, and one that breaks takes only its own with it
// (resume_test.cpp has what becomes of them when sessions outlive their carriers).
#include "e2e/relay.hpp"
#include "e2e/tunnel.hpp"
#include "support/refuses.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <list>
#include <sstream>
#include <system_error>

using namespace gotunnel::testing;

namespace {

constexpr std::size_t carriers = 3;
constexpr std::size_t visitors_each = 10;

/// How many lines of a text contain this.
int count_lines(const std::string& text, const std::string& part) {
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line);) count += line.find(part) != std::string::npos ? 1 : 0;
  return count;
}

/// Whether the echo still answers.
bool alive(const loopback_socket& visitor) {
  try {
    visitor.write("ping");
    return visitor.read(4) == "ping";
  } catch (const std::system_error&) {
    return false;
  }
}

/// A tunnel of three carriers over a line that can be cut.
struct stage {
  stage() { wait_until_all_are_up(); }

  void wait_until_all_are_up() {
    BOOST_REQUIRE(client.child().wait_for(output::err, "(3 of 3 carriers are up)", patience).has_value());
  }
  void come(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      visitors.push_back(loopback_socket::connect(client.public_port()));
      visitors.back().limit(patience);
      BOOST_REQUIRE(alive(visitors.back()));
    }
  }
  /// Those that the tunnel no longer carries; they leave.
  std::size_t lost() {
    return std::erase_if(visitors, [](const loopback_socket& each) { return !alive(each); });
  }

  scratch_directory room;
  server_process server{room, {.more = {"-workers", "2"}}};
  local_service echo{local_service::echo};
  relay way{server.port()};
  client_process client{
      room,
      server,
      echo.port(),
      {.more = {"-server", way.address(), "-carriers", std::to_string(carriers), "-resume-window", "0"}}};
  std::list<loopback_socket> visitors;
};

} // namespace

BOOST_AUTO_TEST_SUITE(carriers_of_one_client)

BOOST_FIXTURE_TEST_CASE(a_broken_one_takes_its_own_visitors_only_and_comes_back, stage) {
  come(carriers * visitors_each);
  way.cut_oldest();
  wait_until_all_are_up();
  BOOST_TEST(lost() == visitors_each);
  BOOST_TEST(visitors.size() == (carriers - 1) * visitors_each);
  BOOST_TEST(way.accepted() == carriers + 1);

  // The new one has none yet and gets all of the next ones; each of the others still has as many as before.
  come(visitors_each);
  way.cut_oldest();
  wait_until_all_are_up();
  BOOST_TEST(lost() == visitors_each);
  come(visitors_each);
  BOOST_TEST(lost() == 0);

  BOOST_TEST(count_lines(client.child().captured(output::out), "ready: ") == 1);
  BOOST_TEST(count_lines(client.log(), "was lost") == 2);
  BOOST_TEST(count_lines(server.log(), "taken over") == 0);
  BOOST_TEST(count_lines(server.log(), "port " + std::to_string(client.public_port()) + " opened") == 1);
}

BOOST_FIXTURE_TEST_CASE(after_the_loss_of_all_they_return_to_the_same_port, stage) {
  const std::uint16_t port = client.public_port();
  way.cut();
  client.wait_until_ready();
  BOOST_TEST(client.public_port() == port); // -remote-port 0 keeps what it got
  wait_until_all_are_up();
  come(carriers);
  BOOST_TEST(lost() == 0);
  BOOST_TEST(count_lines(client.child().captured(output::out), "ready: ") == 2);
}

BOOST_FIXTURE_TEST_CASE(stopping_gives_the_port_back_at_once_and_all_their_visitors_may_finish, stage) {
  come(carriers);
  client.child().signal(SIGTERM);
  BOOST_TEST(seconds_until_refused(client.public_port()) < 5);
  BOOST_TEST(lost() == 0);
  BOOST_TEST(client.child().running());
  visitors.clear();
  const auto ended = client.child().wait(patience);
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(ended->code == 0);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_stops_lets_the_visitors_of_all_finish, stage) {
  come(carriers);
  server.child().signal(SIGTERM);
  BOOST_TEST(seconds_until_refused(client.public_port()) < 5);
  BOOST_TEST(lost() == 0);
  visitors.clear();
  const auto ended = server.child().wait(patience);
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(ended->code == 0);
}

BOOST_AUTO_TEST_SUITE_END()
