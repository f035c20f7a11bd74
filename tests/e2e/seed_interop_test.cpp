// The original protocol, spoken by a Go program with the original's library: its clients at our server, our
// client at its servers, with nothing to set.
#include "e2e/bulk.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"
#include "support/elapsed.hpp"
#include "support/refuses.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <future>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t size = (sanitized ? 2UL : 20UL) * 1024 * 1024;

words with(words some, const words& more) {
  some.insert(some.end(), more.begin(), more.end());
  return some;
}

struct stage {
  scratch_directory room;
  local_service echo{local_service::echo};

  /// A Go client at our server.
  [[nodiscard]] child_options go_client(const server_process& server, std::uint16_t port,
                                        const words& more = {}) const {
    child_options options;
    options.arguments = with({"client", "-server", server.address(), "-secret", server.secret(), "-ca",
                              server.ca_file(), "-remote-port", std::to_string(port), "-local-target",
                              "127.0.0.1:" + std::to_string(echo.port()), "-retry-interval", "100ms"},
                             more);
    return options;
  }
  /// A Go server; its certificates are in the room's go-certs.
  [[nodiscard]] child_options go_server(const words& more = {}) const {
    child_options options;
    options.arguments = with({"server", "-secret", test_secret, "-certs", room.file("go-certs")}, more);
    return options;
  }
  /// Our client at a Go server.
  [[nodiscard]] child_options our_client(std::uint64_t server, std::uint16_t port,
                                         const words& more = {}) const {
    child_options options;
    options.arguments = with({"client", "-server", "127.0.0.1:" + std::to_string(server), "-ca",
                              room.file("go-certs/ca.crt"), "-remote-port", std::to_string(port),
                              "-local-target", "127.0.0.1:" + std::to_string(echo.port()), "-state-dir",
                              room.file("state"), "-max-retry-interval", "200ms"},
                             more);
    options.environment = {{"GOTUNNEL_SECRET", test_secret}};
    return options;
  }
};

/// Sends much, reads it back; the original knows no half-close, so the visitor ends when all is there.
void echoes(std::uint16_t port) {
  const auto visitor = loopback_socket::connect(port);
  visitor.limit(patience);
  std::thread sender([&] { send_pattern(visitor, size, 8); });
  pattern expected(8);
  bool right = true;
  for (std::size_t got = 0; right && got < size;) {
    const std::string piece = visitor.read(std::min<std::size_t>(64UL * 1024, size - got));
    right = !piece.empty() && expected.matches(piece);
    got += piece.size();
  }
  sender.join();
  BOOST_TEST(right);
}

} // namespace

BOOST_AUTO_TEST_SUITE(seed_interop)

BOOST_FIXTURE_TEST_CASE(an_original_client_works_with_our_server_in_either_tls_version, stage) {
  server_process server(room);
  for (const char* version : {"1.3", "1.2"}) {
    const std::uint16_t port = free_port();
    child_process client(GOTUNNEL_SEED_PEER, go_client(server, port, {"-tls", version}));
    BOOST_REQUIRE(client.wait_for(output::out, "tunnel up", patience).has_value());
    echoes(port);
    // Killed: the port is free at once, not after a minute as with the original server.
    client.signal(SIGKILL);
    BOOST_REQUIRE(client.wait(patience).has_value());
    const double took = seconds_until_refused(port, 5);
    BOOST_TEST_MESSAGE("port of a killed original client released after " << took * 1000 << " ms");
    BOOST_TEST(took < (sanitized ? 1.0 : 0.1));
  }
  BOOST_TEST(server.stop() == 0);
}

BOOST_FIXTURE_TEST_CASE(an_original_client_comes_back_to_its_port, stage) {
  server_process server(room);
  const std::uint16_t port = free_port();
  for (int i = 0; i < 3; ++i) {
    child_process client(GOTUNNEL_SEED_PEER, go_client(server, port));
    BOOST_REQUIRE(client.wait_for(output::out, "tunnel up", patience).has_value());
    client.signal(SIGKILL);
    BOOST_REQUIRE(client.wait(patience).has_value());
  }
}

BOOST_FIXTURE_TEST_CASE(an_original_client_is_refused_as_the_original_refuses, stage) {
  server_process server(room);
  client_process holder(room, server, echo.port());
  {
    child_process client(GOTUNNEL_SEED_PEER, go_client(server, free_port(), {"-secret", "wrong", "-once"}));
    BOOST_TEST(client.wait_for(output::out, "ERROR: Invalid Secret", patience).has_value());
  }
  {
    child_process client(GOTUNNEL_SEED_PEER, go_client(server, holder.public_port(), {"-once"}));
    const auto line = client.wait_for(output::out, "refused", patience);
    BOOST_REQUIRE(line.has_value());
    BOOST_TEST(line->find("is held by") != std::string::npos);
  }
  {
    child_process client(GOTUNNEL_SEED_PEER, go_client(server, 22, {"-once"}));
    const auto line = client.wait_for(output::out, "refused", patience);
    BOOST_REQUIRE(line.has_value());
    BOOST_TEST(line->find("not allowed") != std::string::npos);
  }
  BOOST_TEST(visit(holder.public_port(), "mine") == "mine");
}

BOOST_FIXTURE_TEST_CASE(seed_peers_off_refuses_original_clients, stage) {
  server_process server(room, {.more = {"-seed-peers", "off"}});
  for (const char* version : {"1.3", "1.2"}) {
    child_process client(GOTUNNEL_SEED_PEER, go_client(server, free_port(), {"-tls", version, "-once"}));
    const auto ended = client.wait(patience);
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST(ended->code == 1);
  }
  client_process ours(room, server, echo.port());
  BOOST_TEST(visit(ours.public_port(), "ours") == "ours");
}

BOOST_FIXTURE_TEST_CASE(our_client_works_with_an_original_server_in_either_tls_version, stage) {
  for (const char* version : {"1.3", "1.2"}) {
    child_process server(GOTUNNEL_SEED_PEER, go_server({"-quick", "-tls", version}));
    const auto listening = server.wait_for_number(output::out, "listening ", patience);
    BOOST_REQUIRE(listening.has_value());
    const std::uint16_t port = free_port();
    child_process client(program(), our_client(*listening, port));
    BOOST_REQUIRE_MESSAGE(client.wait_for(output::out, "ready: ", patience).has_value(),
                          client.captured(output::err));
    BOOST_TEST(client.wait_for(output::err, "original GoTunnel protocol", patience).has_value());
    echoes(port);
    client.signal(SIGTERM);
    const auto ended = client.wait(patience);
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST(ended->code == 0);
    BOOST_TEST(server.wait_for(output::out, "session closed", patience).has_value());
  }
}

BOOST_FIXTURE_TEST_CASE(our_client_goes_on_with_one_carrier_at_an_original_server, stage) {
  child_process server(GOTUNNEL_SEED_PEER, go_server({"-quick"}));
  const auto listening = server.wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE(listening.has_value());
  const std::uint16_t port = free_port();
  child_process client(program(), our_client(*listening, port, {"-carriers", "3"}));
  BOOST_REQUIRE(client.wait_for(output::err, "does not know -carriers", patience).has_value());
  echoes(port);
  const std::string said = "speaks the original GoTunnel protocol";
  const std::string log = client.captured(output::err);
  BOOST_TEST(log.find(said) == log.rfind(said)); // one session
}

BOOST_FIXTURE_TEST_CASE(our_client_names_what_is_wrong_with_an_original_server, stage) {
  child_process server(GOTUNNEL_SEED_PEER, go_server());
  const auto listening = server.wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE(listening.has_value());
  const loopback_listener taken;
  const struct {
    words more;
    std::uint16_t port;
    const char* message;
  } cases[] = {{{"-secret", "wrong"}, free_port(), "refused the secret"},
               {{"-seed-peers", "off"}, free_port(), "-seed-peers off"},
               {{}, taken.port(), "cannot listen on port"}};
  for (const auto& each : cases) {
    child_process client(program(), our_client(*listening, each.port, with(each.more, {"-no-retry"})));
    const auto ended = client.wait(patience);
    BOOST_REQUIRE(ended.has_value());
    BOOST_TEST(ended->code == 1);
    BOOST_TEST_MESSAGE(client.captured(output::err));
    BOOST_TEST(client.captured(output::err).find(each.message) != std::string::npos);
  }
}

BOOST_FIXTURE_TEST_CASE(our_client_comes_back_to_an_original_server, stage) {
  std::uint64_t address = 0;
  auto server = std::make_unique<child_process>(GOTUNNEL_SEED_PEER, go_server({"-quick"}));
  const auto listening = server->wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE(listening.has_value());
  address = *listening;
  const std::uint16_t port = free_port();
  child_process client(program(), our_client(address, port));
  BOOST_REQUIRE(client.wait_for(output::out, "ready: ", patience).has_value());
  server = nullptr;
  server = std::make_unique<child_process>(
      GOTUNNEL_SEED_PEER, go_server({"-quick", "-listen", "127.0.0.1:" + std::to_string(address)}));
  BOOST_REQUIRE(client.wait_for(output::out, "ready: ", patience).has_value());
  echoes(port);
}

BOOST_AUTO_TEST_SUITE_END()
