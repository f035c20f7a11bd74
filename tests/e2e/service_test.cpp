// The server as a service: what a service manager hears of it, and a socket that one passes to it.
#include "e2e/process_facts.hpp"
#include "e2e/refusal.hpp"
#include "support/notify_socket.hpp"

#include <linux/landlock.h>
#include <sys/syscall.h>

#include <csignal>

using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

/// Behind the sandbox, where there can be one.
words walls() {
  const bool kernel =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 2;
  return {"-sandbox", kernel && !sanitized ? "on" : "auto"};
}

run_outcome reload(const scratch_directory& room) {
  return run_program(child_options{.arguments = {"server", "reload"}, .directory = room.path().string()});
}

/// A server that gets `passed` as descriptor 3 and these variables, LISTEN_PID being its own.
run_outcome run_with(const scratch_directory& room, int passed, const std::string& variables) {
  child_options options;
  options.arguments = {"-c", variables + " exec \"$0\" server -listen 127.0.0.1:0 -secret 0a93f1b7c25e84d6",
                       program()};
  options.directory = room.path().string();
  options.pass = passed;
  child_process child("/bin/sh", options);
  const auto ended = child.wait(patience);
  BOOST_TEST_REQUIRE(ended.has_value());
  return {ended->code, child.captured(output::out), child.captured(output::err)};
}

} // namespace

BOOST_AUTO_TEST_SUITE(service)

BOOST_AUTO_TEST_CASE(its_manager_hears_when_it_is_ready_reloads_and_stops) {
  for (const bool abstract : {false, true}) {
    const scratch_directory room;
    const notify_socket manager(abstract ? "@" + room.path().filename().string() : room.file("notify"));
    server_process server(room, {.more = walls(), .environment = {{"NOTIFY_SOCKET", manager.name()}}});
    const std::string ready = "READY=1\nSTATUS=serving on " + server.address() + "\n";
    BOOST_TEST(manager.hear(patience) == ready);

    BOOST_TEST(reload(room).code == 0);
    BOOST_TEST(manager.hear(patience).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    BOOST_TEST(manager.hear(patience) == ready);
    server.child().signal(SIGHUP);
    BOOST_TEST(manager.hear(patience).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    BOOST_TEST(manager.hear(patience) == ready);
    // One that fails is over, too.
    spill(room.path() / "certs/server.crt", "junk");
    BOOST_TEST(reload(room).code == 1);
    BOOST_TEST(manager.hear(patience).starts_with("RELOADING=1\n"));
    BOOST_TEST(manager.hear(patience) == ready);

    BOOST_TEST(server.stop() == 0);
    BOOST_TEST(manager.hear(patience) == "STOPPING=1\nSTATUS=stopping: running connections may finish\n");
    BOOST_TEST(manager.hear(0ms) == "");
  }
}

BOOST_AUTO_TEST_CASE(its_watchdog_is_fed) {
  const scratch_directory room;
  const notify_socket manager(room.file("notify"));
  server_process server(
      room,
      {.more = walls(), .environment = {{"NOTIFY_SOCKET", manager.name()}, {"WATCHDOG_USEC", "100000"}}});
  for (int i = 0; i < 3; ++i) BOOST_TEST(manager.wait_for("WATCHDOG=1\n", patience) == "WATCHDOG=1\n");
}

BOOST_AUTO_TEST_CASE(a_manager_that_cannot_be_told_is_warned_of) {
  const scratch_directory room;
  server_process server(room, {.environment = {{"NOTIFY_SOCKET", room.file("nobody")}}});
  BOOST_TEST(server.child()
                 .wait_for(output::err, "the service manager will not hear of this server", patience)
                 .has_value());
  BOOST_TEST(server.stop() == 0);
}

BOOST_AUTO_TEST_CASE(a_socket_that_is_passed_is_its_tunnel_door) {
  const scratch_directory room;
  const loopback_listener passed;
  server_process server(room,
                        {.more = walls(), .listen = "192.0.2.1:0", .passed_socket = passed.descriptor()});
  BOOST_TEST(server.port() == passed.port());
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  BOOST_TEST(server.log().find("as the service manager does; -listen is not looked at") != std::string::npos);
  BOOST_TEST(server.stop() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_passed_and_no_tunnel_door_is_refused) {
  const scratch_directory room;
  const loopback_listener listener;
  const loopback_socket datagrams(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  struct row {
    int passed;
    std::string variables, line;
  };
  for (const row& each :
       {row{listener.descriptor(), "LISTEN_PID=$$ LISTEN_FDS=2",
            "LISTEN_FDS \"2\": a server takes one socket, its tunnel door; give the socket unit "
            "one ListenStream="},
        row{datagrams.descriptor(), "LISTEN_PID=$$ LISTEN_FDS=1",
            "LISTEN_FDS \"1\": descriptor 3 is no listening TCP socket; give "
            "the socket unit one ListenStream= with a port, and Accept=no"},
        row{-1, "LISTEN_PID=$$ LISTEN_FDS=1",
            "LISTEN_FDS \"1\": there is no descriptor 3; start this by a socket unit, or "
            "without LISTEN_FDS"}}) {
    const run_outcome outcome = run_with(room, each.passed, each.variables);
    BOOST_TEST(outcome.code == 2);
    BOOST_TEST(outcome.out == "");
    BOOST_TEST(outcome.err == "gotunnel: " + each.line + "\n");
  }
  BOOST_TEST(snapshot(room.path()).empty());
}

BOOST_AUTO_TEST_SUITE_END()
