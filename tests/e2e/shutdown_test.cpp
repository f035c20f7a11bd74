// How the two programs end, and how the client lives on when the server did.
#include "e2e/bulk.hpp"
#include "e2e/native_peer.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"
#include "support/elapsed.hpp"
#include "support/refuses.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <future>
#include <sstream>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

struct stage {
  scratch_directory room;
  local_service echo{local_service::echo};
};

/// The program has said that it stops, leaves with 0 by itself.
void leaves_well(child_process& child) {
  const auto ended = child.wait(patience);
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(ended->code == 0);
  BOOST_TEST(ended->signal == 0);
}

enum class side { server, client };

/// A running connection is finished in peace after either side was told to stop.
void drains(stage& s, side which, int number) {
  server_process server(s.room, {.more = {"-grace", "30s"}});
  client_process client(s.room, server, s.echo.port(), {.more = {"-grace", "30s"}});
  child_process& stopped = which == side::server ? server.child() : client.child();
  const auto visitor = loopback_socket::connect(client.public_port());
  visitor.write("hello");
  BOOST_TEST(visitor.read(5) == "hello");

  stopped.signal(number);
  BOOST_TEST(seconds_until_refused(client.public_port(), 20) < 20);
  if (which == side::server) BOOST_TEST(seconds_until_refused(server.port(), 20) < 20);
  BOOST_TEST(stopped.running());
  // The connection has its whole life still: more than fits into any buffer, and a half-close.
  visitor.limit(patience);
  std::thread sender([&] {
    send_pattern(visitor, 4UL * 1024 * 1024, 5);
    visitor.shutdown_write();
  });
  BOOST_TEST(receive_pattern(visitor, 5) == 4UL * 1024 * 1024);
  sender.join();
  const auto start = clock_type::now();
  leaves_well(stopped);
  BOOST_TEST(seconds_since(start) < (sanitized ? 12 : 5));
}

} // namespace

BOOST_AUTO_TEST_SUITE(shutdown)

BOOST_FIXTURE_TEST_CASE(a_running_connection_may_finish, stage) {
  drains(*this, side::server, SIGTERM);
  drains(*this, side::server, SIGINT);
  drains(*this, side::client, SIGTERM);
  drains(*this, side::client, SIGINT);
}

BOOST_FIXTURE_TEST_CASE(an_upload_that_was_taken_arrives_though_the_server_stops, stage) {
  constexpr std::size_t size = (sanitized ? 4UL : 16UL) * 1024 * 1024;
  std::promise<std::size_t> heard;
  const local_service sink([&](loopback_socket& visitor) {
    visitor.shutdown_write();
    heard.set_value(receive_pattern(visitor, 6));
  });
  server_process server(room, {.more = {"-grace", "30s"}});
  client_process client(room, server, sink.port());
  const auto visitor = loopback_socket::connect(client.public_port());
  BOOST_TEST(visitor.ended());
  server.child().signal(SIGTERM);
  send_pattern(visitor, size, 6);
  visitor.shutdown_write();
  auto arrived = heard.get_future();
  BOOST_REQUIRE((arrived.wait_for(patience) == std::future_status::ready));
  BOOST_TEST(arrived.get() == size);
  leaves_well(server.child());
}

BOOST_FIXTURE_TEST_CASE(idle_programs_leave_at_once, stage) {
  for (const int number : {SIGTERM, SIGINT}) {
    server_process server(room);
    client_process client(room, server, echo.port());
    const native_peer silent_session(server);
    const auto silent_stranger = loopback_socket::connect(server.port());
    const auto start = clock_type::now();
    client.child().signal(number);
    leaves_well(client.child());
    server.child().signal(number);
    leaves_well(server.child());
    BOOST_TEST(seconds_since(start) < (sanitized ? 9 : 6));
  }
}

BOOST_FIXTURE_TEST_CASE(strangers_whose_refusal_is_held_back_do_not_hold_the_server, stage) {
  server_process server(room);
  // Each wrong secret is answered later than the one before.
  std::vector<std::unique_ptr<tls_peer>> guessers;
  for (int i = 0; i < 8; ++i) {
    guessers.push_back(
        std::make_unique<tls_peer>(server.port(), server.ca_file(), tls_peer::greeting::original));
    guessers.back()->send("guess\n");
  }
  BOOST_TEST(guessers.front()->ended_within(patience));
  const auto start = clock_type::now();
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(seconds_since(start) < (sanitized ? 8 : 3));
}

BOOST_FIXTURE_TEST_CASE(when_the_grace_is_over_the_connection_ends, stage) {
  for (const side which : {side::server, side::client}) {
    server_process server(room, {.more = {"-grace", "300ms"}});
    client_process client(room, server, echo.port(), {.more = {"-grace", "300ms"}});
    const auto visitor = loopback_socket::connect(client.public_port());
    visitor.write("hello");
    BOOST_TEST(visitor.read(5) == "hello");
    const auto start = clock_type::now();
    child_process& stopped = which == side::server ? server.child() : client.child();
    stopped.signal(SIGTERM);
    BOOST_TEST((ends(visitor, patience) != how::not_yet));
    BOOST_TEST(seconds_since(start) > 0.25);
    leaves_well(stopped);
    BOOST_TEST(seconds_since(start) < (sanitized ? 12 : 5));
  }
}

BOOST_FIXTURE_TEST_CASE(by_default_both_are_gone_before_docker_kills_them, stage) {
  const scratch_directory other_room;
  server_process servers[] = {server_process(room), server_process(other_room)};
  client_process clients[] = {client_process(room, servers[0], echo.port()),
                              client_process(other_room, servers[1], echo.port())};
  const loopback_socket visitors[] = {loopback_socket::connect(clients[0].public_port()),
                                      loopback_socket::connect(clients[1].public_port())};
  for (const loopback_socket& each : visitors) {
    each.write("hello");
    BOOST_TEST(each.read(5) == "hello");
  }
  child_process* const stopped[] = {&servers[0].child(), &clients[1].child()};
  const auto start = clock_type::now();
  for (child_process* const each : stopped) each->signal(SIGTERM);
  for (child_process* const each : stopped) leaves_well(*each);
  BOOST_TEST(seconds_since(start) > 7);
  BOOST_TEST(seconds_since(start) < (sanitized ? 15 : 10));
}

BOOST_FIXTURE_TEST_CASE(a_second_signal_ends_at_once, stage) {
  for (const side which : {side::server, side::client}) {
    server_process server(room, {.more = {"-grace", "60s"}});
    client_process client(room, server, echo.port(), {.more = {"-grace", "60s"}});
    const auto visitor = loopback_socket::connect(client.public_port());
    visitor.write("hello");
    BOOST_TEST(visitor.read(5) == "hello");
    child_process& stopped = which == side::server ? server.child() : client.child();
    stopped.signal(SIGTERM);
    BOOST_TEST(stopped.wait_for(output::err, "running connections may finish", patience).has_value());
    BOOST_TEST(stopped.running());
    stopped.signal(SIGTERM);
    const auto ended = stopped.wait(5s);
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST(ended->code == 128 + SIGTERM);
  }
}

BOOST_FIXTURE_TEST_CASE(the_client_comes_back_when_the_server_does, stage) {
  auto server = std::make_unique<server_process>(room);
  const std::string address = server->address();
  client_process client(room, *server, echo.port(), {.max_retry_interval = "300ms"});
  const std::uint16_t port = client.public_port();
  for (const int number : {SIGTERM, SIGKILL}) {
    server->child().signal(number);
    BOOST_REQUIRE(server->child().wait(patience).has_value());
    BOOST_TEST(client.child().wait_for(output::err, "was lost", patience).has_value());
    // It keeps trying, and says a new reason once.
    BOOST_TEST(client.child().wait_for(output::err, "cannot connect", patience).has_value());
    server_setup again;
    again.listen = address;
    server = std::make_unique<server_process>(room, again);
    const auto start = clock_type::now();
    client.wait_until_ready();
    // -max-retry-interval caps the pause, however long the server was away.
    BOOST_TEST(seconds_since(start) < (sanitized ? 8 : 4));
    BOOST_TEST(client.public_port() == port);
    BOOST_TEST(visit(port, "again") == "again");
  }
}

BOOST_FIXTURE_TEST_CASE(the_very_first_connection_is_retried_too_and_pauses_grow_to_their_cap, stage) {
  server_process first(room);
  const std::string address = first.address();
  BOOST_TEST(first.stop() == 0);
  client_setup setup{
      .more = {"-log-level", "debug"}, .max_retry_interval = "100ms", .wait_until_ready = false};
  client_process client(room, first, echo.port(), setup);
  std::vector<double> pauses;
  while (pauses.size() < 10) {
    const auto line = client.child().wait_for(output::err, "trying again in", patience);
    BOOST_REQUIRE(line.has_value());
    pauses.push_back(std::stod(line->substr(line->find("trying again in") + 15)));
  }
  for (const double pause : pauses) BOOST_TEST(pause <= 0.11);
  server_setup again;
  again.listen = address;
  server_process server(room, again);
  client.wait_until_ready();
  BOOST_TEST(visit(client.public_port(), "at last") == "at last");
}

BOOST_FIXTURE_TEST_CASE(no_retry_ends_with_a_code_of_its_own, stage) {
  auto server = std::make_unique<server_process>(room);
  client_process client(room, *server, echo.port(), {.more = {"-no-retry"}});
  BOOST_TEST(server->stop() == 0);
  auto ended = client.child().wait(patience);
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(ended->code == 1);
  BOOST_TEST(client.log().find("was lost") != std::string::npos);

  client_process late(room, *server, echo.port(), {.more = {"-no-retry"}, .wait_until_ready = false});
  ended = late.child().wait(patience);
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(ended->code == 1);
  BOOST_TEST(late.log().find("cannot connect to " + server->address()) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
