#include "e2e/refusal.hpp"
#include "e2e/terminal.hpp"

using namespace gotunnel::testing;

namespace {

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string command_line_of(const child_process& child) {
  return slurp("/proc/" + std::to_string(child.pid()) + "/cmdline");
}

/// The client command that the banner offers, with its ports as the test needs them.
std::string pasted(const std::string& banner, std::uint16_t local_port) {
  std::size_t begin = banner.find("GOTUNNEL_SECRET='");
  if (begin == std::string::npos) begin = banner.find("\ngotunnel client ") + 1;
  std::string command = banner.substr(begin, banner.find_first_of("\r\n", begin) - begin);
  const auto replace = [&command](const std::string& from, const std::string& to) {
    const std::size_t at = command.find(from);
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, "no \"" << from << "\" in: " << command);
    command.replace(at, from.size(), to);
  };
  replace("-remote-port 8080", "-remote-port 0");
  replace("127.0.0.1:80", "127.0.0.1:" + std::to_string(local_port));
  return command + " -state-dir state";
}

/// Runs a command line as a user would, with the program in the PATH; visits the port that it opens.
std::string visit_through(const scratch_directory& room, const std::string& command,
                          const child_options& more = {}) {
  child_options options = more;
  options.arguments = {"-c", command};
  options.directory = room.path().string();
  const std::string folder = std::filesystem::path(program()).parent_path().string();
  options.environment.emplace_back("PATH", folder + ":/usr/bin:/bin");
  child_process shell("/bin/sh", options);
  const auto line = shell.wait_for(output::out, "ready: ", patience);
  BOOST_REQUIRE_MESSAGE(line, shell.captured(output::err));
  const std::string heard = visit(port_of(line->substr(0, line->find(" -> "))), "hello");
  shell.signal(SIGTERM);
  BOOST_TEST(shell.wait(patience).has_value());
  return heard;
}

} // namespace

BOOST_AUTO_TEST_SUITE(secrets)

BOOST_AUTO_TEST_CASE(a_file_that_everybody_can_read_is_warned_of_and_works) {
  const scratch_directory room;
  spill(room.path() / "secret", test_secret + "\n");
  std::filesystem::permissions(room.path() / "secret", std::filesystem::perms(0644));
  server_setup setup;
  setup.secret = "not this one";
  setup.more = {"-secret-file", "secret"};
  server_process server(room, setup);
  const local_service echo(local_service::echo);
  client_setup with;
  with.secret = "nor this one";
  with.more = {"-secret-file", "secret"};
  client_process client(room, server, echo.port(), with);
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  const std::string warning = "everybody on this machine can read the secret in secret: chmod 600 secret\n";
  BOOST_TEST(holds(server.log(), warning));
  BOOST_TEST(holds(client.log(), warning));
}

BOOST_AUTO_TEST_CASE(a_line_end_in_the_environment_does_not_part_the_two_sides) {
  const scratch_directory room;
  spill(room.path() / "secret", test_secret + "\r\n");
  std::filesystem::permissions(room.path() / "secret", std::filesystem::perms(0600));
  server_setup setup;
  setup.secret = test_secret + "\n";
  server_process server(room, setup);
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port(), {.more = {"-secret-file", "secret"}});
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  BOOST_TEST(!holds(server.log() + client.log(), "warn "), server.log() + client.log());
}

BOOST_AUTO_TEST_CASE(both_sides_warn_of_a_weak_secret_and_do_not_say_it) {
  const scratch_directory room;
  for (const std::string& secret : {std::string("xyzzy-4711"), std::string("gotunnel-password-1")}) {
    server_setup setup;
    setup.secret = secret;
    server_process server(room, setup);
    const local_service echo(local_service::echo);
    client_process client(room, server, echo.port());
    BOOST_TEST(client.stop() == 0);
    BOOST_TEST(server.stop() == 0);
    for (const std::string& log : {server.log(), client.log()}) {
      BOOST_TEST(holds(log, "GOTUNNEL_SECRET: the secret "), log);
      BOOST_TEST(holds(log, "make one with `openssl rand -hex 24`"), log);
      BOOST_TEST(!holds(log, secret), log);
    }
  }
}

BOOST_AUTO_TEST_CASE(nobody_sees_the_secret) {
  const scratch_directory room;
  const std::vector<words> spellings{{"-secret", test_secret}, {"--secret=" + test_secret}};
  for (const words& spelling : spellings) {
    server_setup setup;
    setup.secret = "not this one";
    setup.more = spelling;
    setup.more.insert(setup.more.end(), {"-log-level", "trace"});
    server_process server(room, setup);
    const local_service echo(local_service::echo);
    client_setup with;
    with.secret = "nor this one";
    with.more = setup.more;
    client_process client(room, server, echo.port(), with);
    BOOST_TEST(visit(client.public_port(), "hello") == "hello");

    // A refused client says what is wrong without saying the secret.
    with.secret = "";
    with.more = {"-secret", "intruder-" + test_secret, "-no-retry", "-log-level", "trace"};
    with.wait_until_ready = false;
    client_process intruder(room, server, echo.port(), with);
    BOOST_TEST(intruder.child().wait(patience).value().code == 1);
    BOOST_TEST(holds(intruder.log(), "refused the secret"));

    BOOST_TEST(holds(command_line_of(server.child()), "server"));
    BOOST_TEST(!holds(command_line_of(server.child()), test_secret));
    BOOST_TEST(!holds(command_line_of(client.child()), test_secret));
    BOOST_TEST(client.stop() == 0);
    BOOST_TEST(server.stop() == 0);
    for (child_process* each : {&server.child(), &client.child(), &intruder.child()})
      for (const output which : {output::out, output::err})
        BOOST_TEST(!holds(each->captured(which), test_secret));
  }
}

BOOST_AUTO_TEST_CASE(the_client_command_of_the_banner_works_when_pasted) {
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  child_options more;
  more.environment = {{"GOTUNNEL_SECRET", test_secret}};
  // The last line of the banner is the command; wait for all of it.
  BOOST_TEST(server.child().wait_for(output::out, "-local-target", patience).has_value());
  const std::string command = pasted(server.child().captured(output::out), echo.port());
  BOOST_TEST(visit_through(room, "exec " + command, more) == "hello");
}

BOOST_AUTO_TEST_CASE(on_a_terminal_the_banner_spells_the_secret_out_and_the_command_needs_nothing_else) {
  const scratch_directory room;
  const std::string odd_secret = "it's $HOME \"quoted\" `id` \\ and spaced";
  terminal_process server({"server", "-listen", "127.0.0.1:0", "-bind", "127.0.0.1"},
                          {{"GOTUNNEL_SECRET", odd_secret}}, room);
  const std::string banner = server.read_until("-local-target 127.0.0.1:80\r\n");
  BOOST_TEST(holds(banner, "gotunnel server is ready on 127.0.0.1:"));
  BOOST_TEST(holds(banner, "GOTUNNEL_SECRET='it'\\''s "));
  const local_service echo(local_service::echo);
  BOOST_TEST(visit_through(room, pasted(banner, echo.port()) +
                                     " & child=$!; trap 'kill $child' TERM; wait") == "hello");
}

BOOST_AUTO_TEST_SUITE_END()
