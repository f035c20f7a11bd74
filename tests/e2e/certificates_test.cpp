#include "e2e/refusal.hpp"
#include "support/certificates.hpp"

#include <optional>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A room with a secret file, and certificates that a server made there.
struct room_with_certificates : scratch_directory {
  room_with_certificates() {
    spill(path() / "secret", test_secret);
    fs::permissions(path() / "secret", fs::perms(0600));
    make(path() / "certs");
  }

  /// As a server makes them, without starting one.
  static void make(const fs::path& directory, wall_time leaf_end = now() + 24h * 365) {
    const auto ca = crypto::make_authority(now() - 24h).value();
    write(directory, ca, testing::make_certificate(testing::plain_leaf(now() - 24h * 300, leaf_end), &ca));
  }

  static void write(const fs::path& directory, const crypto::credential& ca, const crypto::credential& leaf) {
    fs::create_directory(directory);
    fs::permissions(directory, fs::perms(0700));
    for (const auto& [name, text] : {std::pair{"ca.crt", ca.certificate},
                                     {"server.crt", leaf.certificate},
                                     {"ca.key", std::string(ca.key.reveal())},
                                     {"server.key", std::string(leaf.key.reveal())}}) {
      spill(directory / name, text);
      fs::permissions(directory / name, fs::perms(std::string_view(name).ends_with(".key") ? 0600 : 0644));
    }
  }

  /// A pair whose CA has ended; the CA's facts.
  static crypto::certificate_facts make_expired(const fs::path& directory) {
    const auto ca = crypto::make_authority(now() - 24h * 365 * 11).value();
    const auto leaf = crypto::issue_server(ca, now() - 24h * 365 * 11, std::chrono::days(365 * 20)).value();
    write(directory, ca, leaf);
    return crypto::read_certificate(ca.certificate).value();
  }

  void refuse(const std::string& line, const words& more = {}) const {
    refusal_case one{{"server", "-listen", "127.0.0.1:0", "-secret-file", "secret"}, line};
    one.arguments.insert(one.arguments.end(), more.begin(), more.end());
    check_refusal(*this, one);
  }

  /// Runs the server in a mount namespace of its own where `mount` has been done, then lists the
  /// certificates.
  [[nodiscard]] run_outcome run_mounted(const std::string& mount) const {
    child_options options;
    options.arguments = {"--mount",
                         "--propagation",
                         "private",
                         "/bin/sh",
                         "-c",
                         mount + " && { \"$0\" server -listen 127.0.0.1:0 -secret-file secret; code=$?; ls "
                                 "-A certs; exit $code; }",
                         program()};
    options.directory = path().string();
    child_process child("unshare", options);
    const auto ended = child.wait(patience);
    BOOST_REQUIRE_MESSAGE(ended, child.captured(output::out) << child.captured(output::err));
    return {ended->code, child.captured(output::out), child.captured(output::err)};
  }
};

/// Mounting needs more than root: a container may forbid it.
boost::test_tools::assertion_result can_mount(boost::unit_test::test_unit_id) {
  child_process tried("unshare", {.arguments = {"--mount", "--propagation", "private", "mount", "-t", "tmpfs",
                                                "none", "/mnt"}});
  const auto ended = tried.wait(patience);
  boost::test_tools::assertion_result can(ended && ended->code == 0);
  can.message() << "a private mount namespace is not allowed here: " << tried.captured(output::err);
  return can;
}

/// The whole dialogue of `gotunnel pki VERB`.
run_outcome pki(const scratch_directory& room, const std::string& verb) {
  return run_program(child_options{.arguments = {"pki", verb}, .directory = room.path().string()});
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(certificates, room_with_certificates)

BOOST_AUTO_TEST_CASE(the_first_start_makes_everything_and_the_second_changes_nothing) {
  fs::remove_all(path() / "certs");
  server_process first(*this);
  BOOST_TEST(first.stop() == 0);
  BOOST_TEST(holds(first.log(), "made a new CA and server certificate in certs"));
  BOOST_TEST(mode_of(path() / "certs") == 0700U);
  for (const char* key : {"certs/ca.key", "certs/server.key"}) BOOST_TEST(mode_of(path() / key) == 0600U);
  const auto made = snapshot(path() / "certs");
  BOOST_TEST(made.size() == 4U);
  server_process second(*this);
  BOOST_TEST(second.stop() == 0);
  BOOST_TEST((snapshot(path() / "certs") == made));
  BOOST_TEST(!holds(second.log(), "made a new CA"));
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_used_are_named_and_left_alone) {
  const auto good = snapshot(path() / "certs");
  const std::string backup = "restore it from a backup";
  struct spoiled {
    std::string file;
    std::string content;
    std::string why;
  };
  const auto other = crypto::make_authority(now()).value();
  for (const spoiled& one : std::vector<spoiled>{
           {"ca.crt", "junk", "is not a certificate in PEM form; " + backup},
           {"ca.crt", "", "is not a certificate in PEM form; " + backup},
           {"server.crt", slurp(path() / "certs/server.crt").substr(0, 200),
            "is not a certificate in PEM form; " + backup},
           {"server.key", "junk", "is not a private key in PEM form without passphrase; " + backup},
           {"server.key", std::string(other.key.reveal()),
            "does not belong to server.crt; restore the two files that belong together"},
           {"ca.crt", std::string(70000, 'x'),
            "is larger than 64 KiB, so it is something else; put the right file there"}}) {
    const fs::path file = path() / "certs" / one.file;
    const std::string kept = slurp(file);
    spill(file, one.content);
    refuse("certs/" + one.file + ": " + one.why);
    spill(file, kept);
  }
  BOOST_TEST((snapshot(path() / "certs") == good));

  spill(path() / "certs/ca.crt", other.certificate);
  refuse("certs/server.crt: is not signed by ca.crt; restore the files that belong together, or move "
         "server.crt and server.key "
         "away to have them issued anew");
  fs::remove(path() / "certs/ca.crt");
  refuse("certs/ca.crt: is missing, but ca.key is there; restore ca.crt, or move ca.key away to have a new "
         "CA made");
  fs::create_directory(path() / "certs/ca.crt");
  refuse("certs/ca.crt: is a directory; move it away and put the file there");
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_none) {
  refuse("secret: cannot be made: Not a directory; make it, or choose another with -certs",
         {"-certs", "secret"});
  refuse("a/b: cannot be made: No such file or directory; make it, or choose another with -certs",
         {"-certs", "a/b"});
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_read_only, *boost::unit_test::precondition(can_mount)) {
  const std::string read_only = "mount --bind certs certs && mount -o remount,bind,ro certs";
  fs::remove_all(path() / "certs");
  fs::create_directory(path() / "certs");
  const auto before = snapshot(path());
  const run_outcome outcome = run_mounted(read_only);
  BOOST_TEST(outcome.code == 2);
  BOOST_TEST(outcome.out == "");
  BOOST_TEST(outcome.err ==
             "gotunnel: certs: cannot be written: Read-only file system; nothing was changed\n");
  BOOST_TEST((snapshot(path()) == before));
}

BOOST_AUTO_TEST_CASE(a_disk_that_is_full, *boost::unit_test::precondition(can_mount)) {
  fs::remove_all(path() / "certs");
  fs::create_directory(path() / "certs");
  // Pages of 4 KiB, one of them taken: room for none, one or two of the four files.
  for (const char* size : {"4k", "8k", "12k"}) {
    const std::string almost_full = "mount -t tmpfs -o mode=700,size=" + std::string(size) +
                                    " none certs && head -c 4096 /dev/zero > certs/filler";
    const run_outcome outcome = run_mounted(almost_full);
    BOOST_TEST(outcome.code == 2);
    BOOST_TEST(outcome.out == "filler\n");
    BOOST_TEST(outcome.err ==
               "gotunnel: certs: cannot be written: No space left on device; nothing was changed\n");
  }
}

BOOST_AUTO_TEST_CASE(two_servers_that_start_at_once_end_with_one_ca) {
  fs::remove_all(path() / "certs");
  std::vector<std::unique_ptr<child_process>> servers;
  for (int i = 0; i < 4; ++i)
    servers.push_back(std::make_unique<child_process>(
        program(), child_options{.arguments = {"server", "-listen", "127.0.0.1:0", "-secret-file", "secret"},
                                 .directory = path().string()}));
  std::optional<std::string> pin;
  for (const auto& each : servers) {
    const auto line = each->wait_for(output::out, "pin: ", patience);
    BOOST_REQUIRE_MESSAGE(line, each->captured(output::err));
    BOOST_TEST(*line == pin.value_or(*line));
    pin = line;
  }
  BOOST_TEST(snapshot(path() / "certs").size() == 5U); // four files, and the control socket of one of them
}

BOOST_AUTO_TEST_CASE(pki_shows_what_there_is) {
  const auto before = snapshot(path());
  const run_outcome shown = pki(*this, "show");
  BOOST_TEST(shown.code == 0);
  BOOST_TEST(shown.err == "");
  const auto ca = crypto::read_certificate(slurp(path() / "certs/ca.crt")).value();
  const auto leaf = crypto::read_certificate(slurp(path() / "certs/server.crt")).value();
  for (const std::string& part :
       {std::string("CA (ca.crt)\n  subject  CN=GoTunnel CA\n"), "pin      " + ca.pin, "pin      " + leaf.pin,
        std::string("  SAN      DNS:gotunnel.internal\n"), "  expires  " + describe(ca.not_after)})
    BOOST_TEST(holds(shown.out, part), shown.out);
  BOOST_TEST((snapshot(path()) == before));
}

BOOST_AUTO_TEST_CASE(a_renewal_drops_nobody) {
  server_setup setup;
  setup.more = {"-cert-check", "50ms"};
  server_process server(*this, setup);
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port());
  const auto visitor = loopback_socket::connect(client.public_port());
  visitor.write("before ");
  BOOST_TEST(visitor.read(7) == "before ");

  const std::string ca = slurp(path() / "certs/ca.crt"), old = slurp(path() / "certs/server.crt");
  const run_outcome renewed = pki(*this, "renew");
  BOOST_TEST(renewed.code == 0);
  BOOST_TEST(slurp(path() / "certs/ca.crt") == ca);
  BOOST_TEST(slurp(path() / "certs/server.crt") != old);
  BOOST_TEST(server.child()
                 .wait_for(output::err, "the server certificate is now valid until", patience)
                 .has_value());

  visitor.write("after");
  visitor.shutdown_write();
  BOOST_TEST(read_to_end(visitor) == "after");
  client_process newcomer(*this, server, echo.port());
  BOOST_TEST(visit(newcomer.public_port(), "hello") == "hello");
  BOOST_TEST(!holds(client.log(), "lost"));
}

BOOST_AUTO_TEST_CASE(visitors_are_served_while_somebody_holds_the_lock) {
  server_setup setup;
  setup.more = {"-cert-check", "20ms"};
  server_process server(*this, setup);
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port());
  const int held = ::open((path() / "certs").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  BOOST_TEST(::flock(held, LOCK_EX) == 0);
  BOOST_TEST(server.child().wait_for(output::err, "another process holds its lock", patience).has_value());
  // A reload waits for the lock, on a helper.
  child_process reload(program(),
                       child_options{.arguments = {"server", "reload"}, .directory = path().string()});
  for (int i = 0; i < 20; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    BOOST_TEST(visit(client.public_port(), "hello") == "hello");
    BOOST_TEST((std::chrono::steady_clock::now() - begin < 5s)); // the lock's patience is 10 s
  }
  BOOST_TEST(server.stop() == 0); // nor does leaving wait
  ::close(held);
}

BOOST_AUTO_TEST_CASE(a_ca_that_has_ended_is_made_anew_for_a_running_server) {
  fs::remove_all(path() / "certs");
  const auto old = make_expired(path() / "certs");
  run_outcome outcome =
      run_program(child_options{.arguments = {"server", "-listen", "127.0.0.1:0", "-secret-file", "secret"},
                                .directory = path().string()});
  BOOST_TEST(outcome.code == 2);
  BOOST_TEST(holds(outcome.err, "certs/ca.crt: expired on "), outcome.err);
  BOOST_TEST(holds(outcome.err, "`gotunnel pki renew -ca -certs certs` makes it anew with its key"),
             outcome.err);
  outcome = pki(*this, "show");
  BOOST_TEST(outcome.code == 0);
  BOOST_TEST(holds(outcome.out, "(EXPIRED)"), outcome.out);
  BOOST_TEST(holds(outcome.err, "`gotunnel pki renew -ca -certs certs`"), outcome.err);
  outcome = run_program(child_options{.arguments = {"pki", "renew", "-ca"}, .directory = path().string()});
  BOOST_TEST(outcome.code == 0);
  BOOST_TEST(holds(outcome.out, old.pin), outcome.out);
  server_process server(*this);
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port(), {.more = {"-pin", old.pin}});
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
}

BOOST_AUTO_TEST_CASE(a_directory_with_a_long_path_is_served_and_asked) {
  const std::string far(180, 'x');
  fs::rename(path() / "certs", path() / far);
  server_setup setup;
  setup.certs = far;
  server_process server(*this, setup);
  const run_outcome outcome = run_program(
      child_options{.arguments = {"server", "status", "-certs", far}, .directory = path().string()});
  BOOST_TEST(outcome.code == 0);
  BOOST_TEST(holds(outcome.out, "certificates  the server's until "), outcome.out);
  BOOST_TEST(outcome.err == "");
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(!holds(server.log(), "warn"), server.log());
}

BOOST_AUTO_TEST_CASE(a_leaf_near_its_end_is_renewed_at_start) {
  fs::remove_all(path() / "certs");
  make(path() / "certs", now() + 24h);
  const std::string ca = slurp(path() / "certs/ca.crt"), old = slurp(path() / "certs/server.crt");
  server_process server(*this);
  BOOST_TEST(slurp(path() / "certs/ca.crt") == ca);
  BOOST_TEST(slurp(path() / "certs/server.crt") != old);
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
}

BOOST_AUTO_TEST_CASE(a_leaf_near_its_end_is_renewed_by_a_running_server_without_dropping_anyone) {
  server_setup setup;
  setup.more = {"-cert-check", "50ms"};
  server_process server(*this, setup);
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port());
  const auto visitor = loopback_socket::connect(client.public_port());
  visitor.write("before ");
  BOOST_TEST(visitor.read(7) == "before ");

  // Somebody restores an old pair, of the same CA, that is about to end: the running server replaces it.
  const crypto::credential ca{slurp(path() / "certs/ca.crt"), secret_text(slurp(path() / "certs/ca.key"))};
  const auto old = testing::make_certificate(testing::plain_leaf(now() - 24h * 300, now() + 24h), &ca);
  spill(path() / "new.key", old.key.reveal());
  spill(path() / "new.crt", old.certificate);
  fs::permissions(path() / "new.key", fs::perms(0600));
  fs::rename(path() / "new.key", path() / "certs/server.key");
  fs::rename(path() / "new.crt", path() / "certs/server.crt");
  BOOST_TEST(server.child()
                 .wait_for(output::err, "the server certificate is now valid until", patience)
                 .has_value());
  const auto leaf = crypto::read_certificate(slurp(path() / "certs/server.crt")).value();
  BOOST_TEST((leaf.not_after > now() + 24h * 300));

  visitor.write("after");
  visitor.shutdown_write();
  BOOST_TEST(read_to_end(visitor) == "after");
  BOOST_TEST(!holds(client.log(), "lost"));
}

BOOST_AUTO_TEST_CASE(files_that_turn_bad_under_a_running_server_are_said_once_and_not_used) {
  server_setup setup;
  setup.more = {"-cert-check", "10ms"};
  server_process server(*this, setup);
  spill(path() / "certs/server.crt", "junk");
  BOOST_TEST(server.child()
                 .wait_for(output::err, "certs/server.crt: is not a certificate in PEM form", patience)
                 .has_value());
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  BOOST_TEST(server.stop() == 0);
  const std::string log = server.log();
  const std::size_t first = log.find("is not a certificate");
  BOOST_TEST(log.find("is not a certificate", first + 1) == std::string::npos, log);
  BOOST_TEST(slurp(path() / "certs/server.crt") == "junk");
}

BOOST_AUTO_TEST_CASE(a_ca_without_its_key_serves_until_the_leaf_ends) {
  fs::remove(path() / "certs/ca.key");
  {
    server_process server(*this);
    BOOST_TEST(server.stop() == 0);
  }
  const auto before = snapshot(path());
  const run_outcome refused = pki(*this, "renew");
  BOOST_TEST(refused.code == 2);
  BOOST_TEST(refused.out == "");
  BOOST_TEST(holds(refused.err, "ca.key"));
  BOOST_TEST((snapshot(path()) == before));

  fs::remove_all(path() / "certs");
  make(path() / "certs", now() + 24h * 5);
  fs::remove(path() / "certs/ca.key");
  server_process server(*this);
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(holds(server.log(), " warn "));
}

BOOST_AUTO_TEST_SUITE_END()
