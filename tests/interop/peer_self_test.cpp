// Go against Go: what these programs find in ours is worth something only when they agree with each other.
#include "interop/go_peer.hpp"
#include "support/loopback.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <csignal>
#include <string>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

constexpr auto patience = 60s;

child_process seed_peer(const std::string& flags) {
  return child_process(seed_peer_path(), {.arguments = words(flags)});
}

void pair(const std::string& server_flags, const std::string& client_flags) {
  smux_peer server(server_flags);
  smux_peer client(fmt::format("-role client -connect 127.0.0.1:{} {}", server.port(), client_flags));
  BOOST_TEST(client.verified());
  BOOST_TEST(server.verified());
}

} // namespace

BOOST_AUTO_TEST_SUITE(peers)

BOOST_DATA_TEST_CASE(a_thousand_streams_come_back, data::make({1, 2}), version) {
  pair(fmt::format("-version {} echo", version),
       fmt::format("-version {} -streams 1000 -bytes 8192 dial-echo", version));
}

BOOST_DATA_TEST_CASE(a_blob_goes_each_way, data::make({1, 2}), version) {
  const std::string flags = fmt::format("-version {} -bytes 8388608 bulk", version);
  pair(flags, flags);
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_not_read_stalls_no_other) {
  pair("slow-reader", "-bytes 8388608 dial-slow-reader");
}

BOOST_AUTO_TEST_CASE(keepalive_carries_an_idle_session) {
  const std::string flags = "-keepalive-interval 100ms -keepalive-timeout 300ms";
  pair(fmt::format("{} echo", flags), fmt::format("{} -for 1s idle", flags));
}

BOOST_AUTO_TEST_CASE(a_silent_peer_is_noticed) {
  smux_peer server("-keepalive-interval 100ms -keepalive-timeout 200ms -for 1m idle");
  smux_peer client(fmt::format("-role client -keepalive-disabled -connect 127.0.0.1:{} echo", server.port()));
  BOOST_TEST(server.exit_code() == 1);
}

BOOST_AUTO_TEST_CASE(versions_do_not_mix) {
  smux_peer server("-version 1 echo");
  smux_peer client(fmt::format("-role client -version 2 -connect 127.0.0.1:{} dial-echo", server.port()));
  BOOST_TEST(server.exit_code() == 1);
  BOOST_TEST(client.exit_code() == 1);
}

BOOST_AUTO_TEST_CASE(the_original_protocol_carries_visitors) {
  const scratch_directory certs;
  const loopback_listener service;
  child_process server =
      seed_peer(fmt::format("server -secret open-sesame -certs {}", certs.path().string()));
  const auto port = server.wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE(port.has_value());
  for (const char* version : {"1.2", "1.3"}) {
    child_process client =
        seed_peer(fmt::format("client -server 127.0.0.1:{} -secret open-sesame -ca {}/ca.crt -tls {} "
                              "-remote-port 0 -local-target 127.0.0.1:{}",
                              *port, certs.path().string(), version, service.port()));
    BOOST_REQUIRE(client.wait_for(output::out, "tunnel up", patience).has_value());
    const auto open = server.wait_for_number(output::out, "public ", patience);
    BOOST_REQUIRE(open.has_value());
    const auto visitor = loopback_socket::connect(static_cast<std::uint16_t>(*open));
    visitor.write("question");
    const auto local = service.accept();
    BOOST_TEST(local.read(8) == "question");
    local.write("answer");
    BOOST_TEST(visitor.read(6) == "answer");
    visitor.shutdown_write();
    BOOST_TEST(local.ended());
    BOOST_TEST(visitor.ended()); // the original has no half-close: the first end is the end of both
  }
}

BOOST_AUTO_TEST_CASE(the_original_refuses_a_wrong_secret) {
  const scratch_directory certs;
  child_process server =
      seed_peer(fmt::format("server -secret open-sesame -certs {}", certs.path().string()));
  const auto port = server.wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE(port.has_value());
  child_process client = seed_peer(fmt::format(
      "client -once -server 127.0.0.1:{} -secret guess -ca {}/ca.crt", *port, certs.path().string()));
  BOOST_TEST(client.wait_for(output::out, "ERROR: Invalid Secret", patience).has_value());
  BOOST_TEST(client.wait(patience).value().code == 1);
}

BOOST_AUTO_TEST_CASE(the_original_says_why_a_port_is_refused) {
  const scratch_directory certs;
  const loopback_listener taken;
  child_process server =
      seed_peer(fmt::format("server -secret open-sesame -certs {}", certs.path().string()));
  const auto port = server.wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE(port.has_value());
  child_process client = seed_peer(
      fmt::format("client -once -server 127.0.0.1:{} -secret open-sesame -ca {}/ca.crt -remote-port {}",
                  *port, certs.path().string(), taken.port()));
  BOOST_TEST(client.wait_for(output::out, "address already in use", patience).has_value());
}

BOOST_AUTO_TEST_CASE(the_original_reconnects) {
  const scratch_directory certs;
  child_process first = seed_peer(fmt::format("server -secret open-sesame -certs {}", certs.path().string()));
  const auto port = first.wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE(port.has_value());
  child_process client = seed_peer(fmt::format(
      "client -server 127.0.0.1:{} -secret open-sesame -ca {}/ca.crt -remote-port 0 -retry-interval 50ms",
      *port, certs.path().string()));
  BOOST_REQUIRE(client.wait_for(output::out, "tunnel up", patience).has_value());
  first.signal(SIGKILL);
  BOOST_REQUIRE(first.wait(patience).has_value());
  BOOST_REQUIRE(client.wait_for(output::out, "session closed", patience).has_value());
  child_process second = seed_peer(
      fmt::format("server -secret open-sesame -certs {} -listen 127.0.0.1:{}", certs.path().string(), *port));
  BOOST_TEST(client.wait_for(output::out, "tunnel up", patience).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
