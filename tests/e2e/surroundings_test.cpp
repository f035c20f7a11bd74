// What a process is started with: closed outputs, odd masks and limits, a folder that is gone, stray signals.
#include "e2e/refusal.hpp"
#include "e2e/tunnel.hpp"

#include <csignal>
#include <filesystem>

#include <sys/resource.h>

using namespace gotunnel::testing;

namespace {

/// The program, run by a shell that has prepared its surroundings: `before` ends where it begins.
child_process start(const scratch_directory& room, const std::string& before, const words& arguments,
                    const std::string& behind = "") {
  child_options options;
  options.arguments = {"-c", before + " exec \"$0\" \"$@\" " + behind, program()};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  options.environment = {{"GOTUNNEL_SECRET", test_secret}};
  options.directory = room.path().string();
  return child_process("/bin/sh", options);
}

words client_of(const server_process& server, const scratch_directory& room, std::uint16_t target) {
  return {"client",
          "-server",
          server.address(),
          "-ca",
          server.ca_file(),
          "-state-dir",
          room.file("state"),
          "-remote-port",
          "0",
          "-local-target",
          "127.0.0.1:" + std::to_string(target)};
}

/// A line of a log or of stdout in one of the files below.
bool said_in_a_file(const std::filesystem::path& directory) {
  for (const auto& [name, content] : snapshot(directory))
    for (const char* word : {"ready", "info", "warn", "reverse"})
      if (content.find(word) != std::string::npos) return true;
  return false;
}

} // namespace

BOOST_AUTO_TEST_SUITE(surroundings)

BOOST_AUTO_TEST_CASE(what_is_said_with_closed_outputs_is_written_nowhere) {
  for (const char* closed : {"2>&-", ">&-", "<&- >&- 2>&-"}) {
    BOOST_TEST_CONTEXT(closed) {
      const scratch_directory room;
      server_process server(room);
      const local_service echo(local_service::echo);
      child_process client = start(room, "", client_of(server, room, echo.port()), closed);
      const auto opened = server.child().wait_for(output::err, " opened for ", patience);
      BOOST_TEST_REQUIRE(opened.has_value());
      const auto port = opened->substr(opened->find("port ") + 5);
      BOOST_TEST(visit(static_cast<std::uint16_t>(std::stoi(port)), "one") == "one");
      client.signal(SIGTERM);
      BOOST_TEST(client.wait(patience).value().code == 0);
      BOOST_TEST(!said_in_a_file(room.path() / "state"));

      const scratch_directory another;
      const std::string address = "127.0.0.1:" + std::to_string(server.port());
      BOOST_TEST(server.stop() == 0);
      child_process silent = start(another, "", {"server", "-listen", address, "-bind", "127.0.0.1"}, closed);
      client_process visitor(
          room, server, echo.port(),
          {.more = {"-ca", server.ca_file(), "-max-retry-interval", "50ms"}, .wait_until_ready = false});
      BOOST_TEST(visitor.child().wait_for(output::err, "-ca", patience).has_value()); // another CA: it serves
      silent.signal(SIGTERM);
      BOOST_TEST(silent.wait(patience).value().code == 0);
      BOOST_TEST(!said_in_a_file(another.path()));
    }
  }
}

BOOST_AUTO_TEST_CASE(signals_without_a_meaning_have_no_effect) {
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  for (const int number : {SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGPIPE, SIGXFSZ, SIGTTOU,
                           SIGCHLD, SIGWINCH, SIGRTMIN, SIGRTMIN + 7, SIGRTMAX}) {
    server.child().signal(number);
    client.child().signal(number);
  }
  client.child().signal(SIGUSR2); // a server upgrades
  BOOST_TEST(visit(client.public_port(), "one") == "one");
  BOOST_TEST(server.child().running());
  BOOST_TEST(client.child().running());
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(server.stop() == 0);
}

BOOST_AUTO_TEST_CASE(signals_with_a_meaning_come_through_a_mask) {
  const scratch_directory room;
  child_process server = start(room, "", {"server", "-listen", "127.0.0.1:0", "-bind", "127.0.0.1"}, "");
  BOOST_TEST_REQUIRE(server.wait_for(output::out, "is ready on", patience).has_value());
  child_options masked;
  masked.arguments = {"--block-signal=TERM,HUP,CHLD",
                      "--ignore-signal=TERM,CHLD",
                      program(),
                      "server",
                      "-listen",
                      "127.0.0.1:0",
                      "-bind",
                      "127.0.0.1",
                      "-certs",
                      "others"};
  masked.environment = {{"GOTUNNEL_SECRET", test_secret}};
  masked.directory = room.path().string();
  child_process hidden("/usr/bin/env", masked);
  BOOST_TEST_REQUIRE(hidden.wait_for(output::out, "is ready on", patience).has_value());
  hidden.signal(SIGHUP);
  BOOST_TEST(hidden.wait_for(output::err, "read again", patience).has_value());
  hidden.signal(SIGTERM);
  const auto ended = hidden.wait(patience);
  BOOST_TEST((ended && ended->code == 0));
}

BOOST_AUTO_TEST_CASE(files_have_their_modes_under_every_mask) {
  for (const char* mask : {"umask 0;", "umask 0777;"}) {
    BOOST_TEST_CONTEXT(mask) {
      const scratch_directory room;
      child_process server = start(room, mask, {"server", "-listen", "127.0.0.1:0", "-bind", "127.0.0.1"});
      BOOST_TEST_REQUIRE(server.wait_for(output::out, "is ready on", patience).has_value(),
                         server.captured(output::err));
      const auto certs = room.path() / "certs";
      BOOST_TEST(mode_of(certs) == 0700U);
      BOOST_TEST(mode_of(certs / "ca.crt") == 0644U);
      BOOST_TEST(mode_of(certs / "ca.key") == 0600U);
      BOOST_TEST(mode_of(certs / "control.sock") == 0600U);
      child_process client = start(room, mask,
                                   {"client", "-server", "127.0.0.1:1", "-ca", "certs/ca.crt", "-state-dir",
                                    "deep/state", "-no-retry"});
      BOOST_TEST(client.wait(patience).value().code == 1);
      BOOST_TEST(mode_of(room.path() / "deep") == 0700U);
      for (const auto& each : std::filesystem::directory_iterator(room.path() / "deep/state"))
        BOOST_TEST(mode_of(each.path()) == 0600U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_working_folder_that_is_gone_matters_to_relative_names_only) {
  const scratch_directory room;
  const std::string gone = "mkdir gone && cd gone && rmdir ../gone &&";
  const words options{"server", "-listen", "127.0.0.1:0", "-bind", "127.0.0.1", "-certs"};
  words absolute = options;
  absolute.push_back(room.file("certs"));
  child_process server = start(room, gone, absolute);
  BOOST_TEST_REQUIRE(server.wait_for(output::out, "is ready on", patience).has_value(),
                     server.captured(output::err));
  words relative = options;
  relative.emplace_back("certs");
  child_process refused = start(room, gone, relative);
  BOOST_TEST(refused.wait(patience).value().code == 2);
  const std::string said = refused.captured(output::err);
  BOOST_TEST(said.starts_with("gotunnel: certs"), said);
}

// ThreadSanitizer writes a file of its own before main() begins.
boost::test_tools::assertion_result begins_without_files(boost::unit_test::test_unit_id) {
#if defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

BOOST_AUTO_TEST_CASE(a_limit_of_files_is_an_error_of_writing,
                     *boost::unit_test::precondition(begins_without_files)) {
  const scratch_directory room;
  server_process server(room);
  child_options options;
  options.arguments = client_of(server, room, 9);
  options.environment = {{"GOTUNNEL_SECRET", test_secret}};
  options.limits = {{RLIMIT_FSIZE, 0}};
  child_process client(program(), options);
  BOOST_TEST(client.wait_for(output::out, "ready: ", patience).has_value(), client.captured(output::err));
  BOOST_TEST(client.captured(output::err).find("File too large") != std::string::npos,
             client.captured(output::err));
}

BOOST_AUTO_TEST_SUITE_END()
