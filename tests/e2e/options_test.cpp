#include "e2e/refusal.hpp"

#include <sys/socket.h>
#include <sys/un.h>

using namespace gotunnel::testing;

namespace {

bool starts(const scratch_directory& room, const words& more) {
  server_setup setup;
  setup.more = more;
  server_process server(room, setup);
  return server.stop() == 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(each_option_may_be_spelled_in_four_ways) {
  const scratch_directory room;
  for (const words& spelling : {words{"-grace", "1s"}, {"-grace=1s"}, {"--grace", "1s"}, {"--grace=1s"}})
    BOOST_TEST_CONTEXT(joined(spelling)) {
      server_setup setup;
      setup.more = spelling;
      server_process server(room, setup);
      BOOST_TEST(server.stop() == 0);
      // The value arrived: the log says how long the grace is.
      BOOST_TEST(server.log().find("running connections may finish within 1 s") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(durations_are_those_of_go_and_the_last_option_counts) {
  const scratch_directory room;
  for (const char* text :
       {"0", "0s", "1h", "1m30s", "1.5s", "300ms", "100us", "100\xc2\xb5s", "1h2m3s4ms", "+5s"})
    BOOST_TEST(starts(room, {"-grace", "nonsense", "-grace", text}) == true, "-grace " << text);
}

BOOST_AUTO_TEST_CASE(a_server_listens_where_it_is_told) {
  const scratch_directory room;
  for (const char* text : {"0", ":0", "127.0.0.1:0", "localhost:0", "[::1]:0", "0.0.0.0:0", "[::]:0"}) {
    BOOST_TEST_CONTEXT("-listen " << text) {
      server_setup setup;
      setup.listen = text;
      server_process server(room, setup);
      BOOST_TEST(server.port() != 0);
      BOOST_TEST(server.stop() == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_client_publishes_any_kind_of_local_target) {
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  client_process by_name(room, server, "localhost:" + std::to_string(echo.port()));
  BOOST_TEST(visit(by_name.public_port(), "hello") == "hello");

  const std::string path = room.file("service.sock");
  const int door = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  BOOST_REQUIRE(door >= 0);
  const loopback_socket listener(door);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  BOOST_REQUIRE(::bind(door, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  BOOST_REQUIRE(::listen(door, 1) == 0);
  client_process by_path(room, server, "unix:" + path);
  const auto visitor = loopback_socket::connect(by_path.public_port());
  visitor.write("hello");
  const loopback_socket local(::accept4(door, nullptr, nullptr, SOCK_CLOEXEC));
  local.limit(patience);
  BOOST_TEST(local.read(5) == "hello");
  local.write("world");
  local.shutdown_write();
  visitor.shutdown_write();
  BOOST_TEST(read_to_end(visitor) == "world");
}

BOOST_AUTO_TEST_CASE(without_a_writable_state_directory_a_client_works_and_says_so_once) {
  const scratch_directory room;
  spill(room.path() / "file", "");
  server_process server(room);
  const local_service echo(local_service::echo);
  client_setup with;
  with.more = {"-state-dir", "file/state"};
  client_process client(room, server, echo.port(), with);
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  const std::string log = client.log(), part = "this client has an id for this run only";
  const std::size_t first = log.find(part);
  BOOST_TEST(first != std::string::npos, log);
  BOOST_TEST(log.find(part, first + 1) == std::string::npos, log);
}

BOOST_AUTO_TEST_CASE(help_comes_on_stdout_with_examples) {
  struct help_case {
    words arguments;
    std::string part;
  };
  for (const help_case& one :
       std::vector<help_case>{{{"-h"}, "usage: gotunnel COMMAND"},
                              {{"-help"}, "usage: gotunnel COMMAND"},
                              {{"--help"}, "usage: gotunnel COMMAND"},
                              {{"help"}, "usage: gotunnel COMMAND"},
                              {{"help", "client"}, "usage: gotunnel client"},
                              {{"server", "-h"}, "  openssl rand -hex 24 > secret"},
                              {{"server", "-help"}, "-listen ADDR"},
                              {{"server", "--help"}, "examples:"},
                              {{"server", "-listen", "nonsense", "-h"}, "examples:"},
                              {{"server", "--help"}, "gotunnel server reload [-certs DIR] [-json]"},
                              {{"server", "reload", "--help"}, "To change the secret:"},
                              {{"client", "-h"}, "examples:"},
                              {{"client", "-help"}, "-local-target ADDR"},
                              {{"client", "--help"}, "  gotunnel client -server 203.0.113.5:7000"},
                              {{"pki", "-h"}, "examples:"},
                              {{"pki", "show", "--help"}, "-certs DIR"}}) {
    BOOST_TEST_CONTEXT("gotunnel " << joined(one.arguments)) {
      const run_outcome outcome = run_program(one.arguments);
      BOOST_TEST(outcome.code == 0);
      BOOST_TEST(outcome.out.find(one.part) != std::string::npos, outcome.out);
      BOOST_TEST(outcome.err == "");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_command_is_needed_and_the_help_says_so) {
  for (const words& arguments : {words{}, words{"pki"}}) {
    const run_outcome outcome = run_program(arguments);
    BOOST_TEST(outcome.code == 2);
    BOOST_TEST(outcome.out == "");
    BOOST_TEST(outcome.err.find("usage: gotunnel") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(the_version_is_one_line) {
  for (const char* spelling : {"version", "-version", "--version"}) {
    const run_outcome outcome = run_program(words{spelling});
    BOOST_TEST(outcome.code == 0);
    BOOST_TEST(outcome.out == "gotunnel " GOTUNNEL_VERSION "\n");
    BOOST_TEST(outcome.err == "");
  }
}

BOOST_AUTO_TEST_SUITE_END()
