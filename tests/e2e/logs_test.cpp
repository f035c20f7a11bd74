#include "e2e/refusal.hpp"
#include "e2e/terminal.hpp"

#include <boost/json/parse.hpp>

#include <sstream>

using namespace gotunnel::testing;

namespace {

/// Each line must be one object with the four members that every line has.
void check_json_lines(const std::string& log) {
  BOOST_TEST(!log.empty());
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    boost::system::error_code ec;
    const auto value = boost::json::parse(line, ec);
    BOOST_REQUIRE_MESSAGE(!ec && value.is_object(), "not an object: " << line);
    for (const char* name : {"time", "level", "channel", "message"})
      BOOST_TEST(value.as_object().contains(name), "no " << name << " in: " << line);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(logs)

BOOST_AUTO_TEST_CASE(json_is_one_object_a_line) {
  const scratch_directory room;
  server_setup setup;
  setup.more = {"-log-format", "json", "-log-level", "trace"};
  server_process server(room, setup);
  const local_service echo(local_service::echo);
  client_setup with;
  with.more = setup.more;
  client_process client(room, server, echo.port(), with);
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  // A stranger's bytes end up in a log line.
  loopback_socket::connect(server.port()).write("GET / HTTP/1.1\r\n\r\n\"\x1b[31m\xff\xfe");
  with.more.insert(with.more.end(), {"-no-retry", "-secret", "wrong"});
  with.wait_until_ready = false;
  client_process stranger(room, server, echo.port(), with);
  BOOST_TEST(stranger.child().wait(patience).value().code == 1);
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(server.stop() == 0);
  check_json_lines(server.log());
  check_json_lines(client.log());
  check_json_lines(stranger.log());
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_still_make_valid_json) {
  const scratch_directory room;
  spill(room.path() / "s\xff\"\n", "x\n");
  std::filesystem::permissions(room.path() / "s\xff\"\n", std::filesystem::perms(0644));
  server_setup setup;
  setup.more = {"-log-format", "json", "-secret-file", "s\xff\"\n"};
  server_process server(room, setup);
  BOOST_TEST(server.stop() == 0);
  check_json_lines(server.log());
  BOOST_TEST(server.log().find('\xff') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_level_decides_what_is_said) {
  const scratch_directory room;
  server_setup setup;
  setup.more = {"-log-level", "error"};
  server_process server(room, setup);
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(server.log() == "");
}

BOOST_AUTO_TEST_CASE(colours_are_for_terminals_and_for_those_who_want_them) {
  const scratch_directory room;
  spill(room.path() / "secret", "x\n");
  std::filesystem::permissions(room.path() / "secret", std::filesystem::perms(0644));
  const words arguments{"server", "-listen", "127.0.0.1:0", "-secret-file", "secret"};
  const std::string last = "-local-target";
  const auto coloured = [](const std::string& text) { return text.find('\x1b') != std::string::npos; };
  BOOST_TEST(coloured(terminal_process(arguments, {}, room).read_until(last)));
  BOOST_TEST(coloured(terminal_process(arguments, {{"NO_COLOR", ""}}, room).read_until(last)));
  BOOST_TEST(!coloured(terminal_process(arguments, {{"NO_COLOR", "1"}}, room).read_until(last)));
  server_setup setup;
  setup.more = {"-secret-file", "secret"};
  server_process server(room, setup);
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(!coloured(server.log()));
}

BOOST_AUTO_TEST_SUITE_END()
