// The program behind its walls: it works as before, and the walls are there.
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace gotunnel::testing;

namespace {

/// The words behind `name:` in /proc/PID/status.
std::string status_line(pid_t process, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":"))
      return line.substr(std::min(line.find_first_not_of(" \t", name.size() + 1), line.size()));
  return "?";
}

} // namespace

BOOST_AUTO_TEST_SUITE(sandbox)

BOOST_AUTO_TEST_CASE(a_tunnel_works_behind_it) {
  const scratch_directory room;
  const words level{"-log-level", "debug"};
  server_process server(room, {.more = level});
  const local_service echo(local_service::echo);
  client_process client(room, server, "localhost:" + std::to_string(echo.port()), {.more = level});
  BOOST_TEST(visit(client.public_port(), "one") == "one");
  for (child_process* each : {&server.child(), &client.child()}) {
    BOOST_TEST(each->captured(output::err).find("sandbox") != std::string::npos);
    if (sanitized) continue;
    BOOST_TEST(status_line(each->pid(), "NoNewPrivs") == "1");
    BOOST_TEST(status_line(each->pid(), "Seccomp") == "2");
    // What starts the next server: it has no sandbox, but gains nothing by a set-uid program either.
    for (const pid_t starter : children_of(each->pid()))
      BOOST_TEST(status_line(starter, "NoNewPrivs") == "1");
  }
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(client.stop() == 0);
}

BOOST_AUTO_TEST_CASE(names_are_resolved_by_files_that_are_links_to_elsewhere) {
  if (::geteuid() != 0) {
    BOOST_TEST_MESSAGE("skipped: needs root, for an /etc of its own");
    return;
  }
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  for (const char* each : {"etc", "store/one", "store/two"})
    std::filesystem::create_directories(room.path() / each);
  spill(room.path() / "etc/nsswitch.conf", "hosts: files\n");
  spill(room.path() / "store/two/hosts", "127.0.0.1 tunnel.test\n");
  std::filesystem::create_symlink(room.file("store/one/hosts"), room.path() / "etc/hosts");
  std::filesystem::create_symlink("../two/hosts", room.path() / "store/one/hosts");
  child_options options;
  options.arguments = {"--mount", "/bin/sh", "-c", "mount --bind etc /etc && exec \"$0\" \"$@\"", program()};
  const words client{"client",
                     "-server",
                     "tunnel.test:" + std::to_string(server.port()),
                     "-ca",
                     server.ca_file(),
                     "-state-dir",
                     room.file("state"),
                     "-remote-port",
                     "0",
                     "-local-target",
                     "127.0.0.1:" + std::to_string(echo.port())};
  options.arguments.insert(options.arguments.end(), client.begin(), client.end());
  options.environment = {{"GOTUNNEL_SECRET", test_secret}};
  options.directory = room.path().string();
  child_process child("/usr/bin/unshare", options);
  const auto line = child.wait_for(output::out, "ready: ", patience);
  BOOST_TEST_REQUIRE(line.has_value(), child.captured(output::err));
  BOOST_TEST(visit(port_of(line->substr(0, line->find(" -> "))), "one") == "one");
  // Another file in the place of the one that was there.
  spill(room.path() / "store/two/next", "127.0.0.1 tunnel.test # again\n");
  std::filesystem::rename(room.path() / "store/two/next", room.path() / "store/two/hosts");
  BOOST_TEST(server.stop() == 0);
  const server_process again(room, {.listen = server.address()});
  BOOST_TEST(child.wait_for(output::out, "ready: ", patience).has_value(), child.captured(output::err));
}

BOOST_AUTO_TEST_CASE(it_can_be_left_out) {
  const scratch_directory room;
  server_process server(room, {.more = {"-sandbox", "off"}});
  BOOST_TEST(status_line(server.child().pid(), "NoNewPrivs") == "0");
  BOOST_TEST(status_line(server.child().pid(), "Seccomp") == "0");
}

BOOST_AUTO_TEST_CASE(a_server_that_root_starts_can_become_somebody_else) {
  const passwd* const nobody = ::getpwnam("nobody");
  if (::geteuid() != 0 || nobody == nullptr) {
    BOOST_TEST_MESSAGE("skipped: needs root");
    return;
  }
  const scratch_directory room;
  std::filesystem::permissions(room.path(), std::filesystem::perms(0755));
  server_process server(room, {.more = {"-user", "nobody", "-allow-ports", "1024-65535"}});
  const std::string id = std::to_string(nobody->pw_uid);
  BOOST_TEST(status_line(server.child().pid(), "Uid") == id + "\t" + id + "\t" + id + "\t" + id);
  BOOST_TEST(status_line(server.child().pid(), "Groups").find_first_of("0123456789") == std::string::npos);
  BOOST_TEST(status_line(server.child().pid(), "CapPrm") == "0000000000000000");
  for (const pid_t starter : children_of(server.child().pid())) {
    BOOST_TEST(status_line(starter, "Uid") == id + "\t" + id + "\t" + id + "\t" + id);
    BOOST_TEST(status_line(starter, "CapPrm") == "0000000000000000");
  }
  struct ::stat made {};
  BOOST_TEST(::stat(room.file("certs").c_str(), &made) == 0);
  BOOST_TEST(made.st_uid == nobody->pw_uid);
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "one") == "one");
  BOOST_TEST(server.stop() == 0);

  // Only the ports below 1024 are worth a capability.
  server_process low(room, {.more = {"-user", "nobody", "-allow-ports", "443,1024-65535"}});
  BOOST_TEST(status_line(low.child().pid(), "CapEff") == "0000000000000400");

  // A directory of root's is not written to, and not given away.
  std::filesystem::create_directory(room.path() / "of-root");
  std::filesystem::permissions(room.path() / "of-root", std::filesystem::perms(0700));
  child_options options;
  options.arguments = {"server", "-secret", "x",     "-listen", "127.0.0.1:0",
                       "-certs", "of-root", "-user", "nobody"};
  options.directory = room.path().string();
  const auto refused = run_program(options);
  BOOST_TEST(refused.code == 2);
  BOOST_TEST(refused.err.find("-user \"nobody\": it cannot write to of-root: Permission denied") !=
                 std::string::npos,
             refused.err);
}

BOOST_AUTO_TEST_SUITE_END()
