// `gotunnel server reload` and SIGHUP: certificates and secrets change, and nobody is dropped.
#include "e2e/bulk.hpp"
#include "e2e/refusal.hpp"

#include <boost/json/parse.hpp>

#include <csignal>
#include <future>

using namespace gotunnel::testing;

namespace {

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// In its log, by now or soon.
bool said(server_process& server, std::string_view part) {
  return server.child().wait_for(output::err, part, patience).has_value();
}

/// A room whose server has its secret from the file `secret`.
struct rotation : scratch_directory {
  rotation() { write("secret", "old-barley\n"); }

  /// As an editor does it: another file takes the name.
  void write(const std::string& name, std::string_view text) const {
    spill(path() / "half-written", text);
    std::filesystem::permissions(path() / "half-written", std::filesystem::perms(0600));
    std::filesystem::rename(path() / "half-written", path() / name);
  }
  [[nodiscard]] server_setup setup() const {
    return {.more = {"-secret-file", "secret"}, .secret = "not this one"};
  }
  [[nodiscard]] run_outcome run(const words& arguments) const {
    return run_program(child_options{.arguments = arguments, .directory = path().string()});
  }
  [[nodiscard]] run_outcome reload(const words& more = {}) const {
    words arguments{"server", "reload"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  /// Whether a client with this secret gets its port.
  [[nodiscard]] bool admitted(const server_process& server, const std::string& secret) const {
    const local_service echo(local_service::echo);
    client_process client(*this, server, echo.port(),
                          {.more = {"-no-retry"}, .secret = secret, .wait_until_ready = false});
    if (client.child().wait_for(output::out, "ready: ", patience)) return client.stop() == 0;
    BOOST_TEST(holds(client.log(), "refused the secret"), client.log());
    return false;
  }
};

/// A visitor's transfer that is half done until it is told to go on.
class transfer {
public:
  explicit transfer(std::uint16_t port) : visitor_(loopback_socket::connect(port)) {
    sender_ = std::async(std::launch::async, [this] {
      send_pattern(visitor_, half, 1);
      go_on_.get_future().wait();
      send_pattern(visitor_, half, 2);
      visitor_.shutdown_write();
    });
    receiver_ = std::async(std::launch::async, [this] { return read_to_end(visitor_); });
  }
  transfer(const transfer&) = delete;
  transfer& operator=(const transfer&) = delete;
  ~transfer() {
    if (sender_.valid()) go_on_.set_value();
  }
  /// All that was sent has come back.
  [[nodiscard]] bool finish() {
    go_on_.set_value();
    sender_.get();
    return receiver_.get() == pattern(1).next(half) + pattern(2).next(half);
  }

private:
  static constexpr std::size_t half = 8UL * 1024 * 1024;
  loopback_socket visitor_;
  std::promise<void> go_on_;
  std::future<void> sender_;
  std::future<std::string> receiver_;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(reload, rotation)

BOOST_AUTO_TEST_CASE(certificates_and_secrets_change_while_a_visitor_transfers) {
  server_process server(*this, setup());
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port(), {.secret = "old-barley"});
  transfer running(client.public_port());

  run_outcome outcome = reload();
  BOOST_TEST(outcome.code == 0);
  BOOST_TEST(outcome.out.starts_with("read again: the server certificate (as before, valid until "),
             outcome.out);
  BOOST_TEST(outcome.out.ends_with(") and 1 secret (as before)\n"), outcome.out);

  BOOST_TEST(run({"pki", "renew"}).code == 0);
  write("secret", "new-wheat\n");
  outcome = reload({"-json"});
  BOOST_TEST(outcome.code == 0);
  const auto report = boost::json::parse(outcome.out).as_object();
  BOOST_TEST(report.at("certificate").as_object().at("changed").as_bool());
  BOOST_TEST(report.at("secrets").as_object().at("changed").as_bool());
  BOOST_TEST(said(server, "the server certificate is now valid until"));

  BOOST_TEST(admitted(server, "new-wheat"));
  BOOST_TEST(!admitted(server, "old-barley"));
  BOOST_TEST(running.finish());
  BOOST_TEST(!holds(client.log(), "lost"), client.log());
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(!holds(server.log(), "wheat"), server.log());
}

BOOST_AUTO_TEST_CASE(a_secret_is_changed_without_anyone_being_refused) {
  server_process server(*this, setup());
  const local_service echo(local_service::echo);
  client_process old(*this, server, echo.port(), {.secret = "old-barley"});
  transfer running(old.public_port());

  write("secret", "new-wheat\nold-barley\n");
  run_outcome outcome = reload();
  BOOST_TEST(outcome.out.ends_with(") and 2 secrets (changed)\n"), outcome.out);
  BOOST_TEST(admitted(server, "new-wheat"));
  BOOST_TEST(admitted(server, "old-barley"));

  write("secret", "new-wheat\n");
  outcome = reload();
  BOOST_TEST(outcome.out.ends_with(") and 1 secret (changed)\n"), outcome.out);
  BOOST_TEST(admitted(server, "new-wheat"));
  BOOST_TEST(!admitted(server, "old-barley"));

  BOOST_TEST(running.finish());
  BOOST_TEST(visit(old.public_port(), "still here") == "still here");
  BOOST_TEST(!holds(old.log(), "lost"), old.log());
}

BOOST_AUTO_TEST_CASE(what_is_wrong_changes_nothing) {
  server_process server(*this, setup());
  write("secret", "new-wheat\n\nold-barley\n");
  run_outcome outcome = reload();
  const std::string why =
      "-secret-file \"secret\": line 2 is empty; write one secret a line, and nothing else; "
      "everything stays as it was\n";
  BOOST_TEST(outcome.code == 1);
  BOOST_TEST(outcome.out == "");
  BOOST_TEST(outcome.err == "gotunnel: " + why);
  BOOST_TEST(said(server, "reload: -secret-file \"secret\": line 2 is empty"));
  outcome = reload({"-json"});
  BOOST_TEST(outcome.code == 1);
  BOOST_TEST(outcome.err == "gotunnel: " + why);

  // Certificates that are no good keep the new secret out, too.
  write("secret", "new-wheat\n");
  const std::string leaf = slurp(path() / "certs/server.crt");
  spill(path() / "certs/server.crt", "junk");
  outcome = reload();
  BOOST_TEST(outcome.code == 1);
  BOOST_TEST(outcome.err.starts_with("gotunnel: certs/server.crt: is not a certificate"), outcome.err);
  BOOST_TEST(!admitted(server, "new-wheat"));
  BOOST_TEST(admitted(server, "old-barley"));
  spill(path() / "certs/server.crt", leaf);
  BOOST_TEST(reload().code == 0);
  BOOST_TEST(admitted(server, "new-wheat"));
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(!holds(server.log(), "wheat"), server.log());

  outcome = reload();
  BOOST_TEST(outcome.code == 2);
  BOOST_TEST(holds(outcome.err, "-certs \"certs\": no running server answers there"), outcome.err);
}

BOOST_AUTO_TEST_CASE(a_secret_that_is_not_from_a_file_stays) {
  server_process server(*this);
  const run_outcome outcome = reload();
  BOOST_TEST(outcome.code == 0);
  BOOST_TEST(outcome.out.ends_with(") and no secret, which is not from a -secret-file\n"), outcome.out);
  BOOST_TEST(admitted(server, test_secret));
}

BOOST_AUTO_TEST_CASE(a_hangup_is_a_reload_of_the_server_and_nothing_to_a_client) {
  server_process server(*this, setup());
  const local_service echo(local_service::echo);
  client_process client(*this, server, echo.port(), {.secret = "old-barley"});
  write("secret", "new-wheat\nold-barley\n");
  client.child().signal(SIGHUP);
  server.child().signal(SIGHUP);
  const auto line = server.child().wait_for(output::err, "read again: ", patience);
  BOOST_TEST_REQUIRE(line.has_value());
  BOOST_TEST(holds(*line, "2 secrets (changed)"), *line);
  BOOST_TEST(admitted(server, "new-wheat"));
  BOOST_TEST(visit(client.public_port(), "still here") == "still here");
  BOOST_TEST(!holds(client.log(), "lost"), client.log());
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(server.stop() == 0);
}

BOOST_AUTO_TEST_CASE(a_client_follows_its_file) {
  write("mine", "old-barley\nsomething of the server's\n");
  server_setup first = setup();
  first.listen = "127.0.0.1:" + std::to_string(free_port());
  auto server = std::make_unique<server_process>(*this, first);
  const local_service echo(local_service::echo);
  client_process client(*this, *server, echo.port(),
                        {.more = {"-secret-file", "mine", "-resume-window", "0"}, .secret = "not this one"});
  const auto restart = [&] {
    BOOST_TEST(server->stop() == 0);
    server = std::make_unique<server_process>(*this, first);
    client.wait_until_ready();
    BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  };
  write("mine", "\n\n");
  restart();
  const std::string trouble = "-secret-file \"mine\": line 1 is empty";
  BOOST_TEST(holds(client.log(), trouble), client.log());
  BOOST_TEST(client.log().find(trouble) == client.log().rfind(trouble), client.log());

  write("secret", "new-wheat\n");
  write("mine", "new-wheat\n");
  restart();
  BOOST_TEST(holds(client.log(), "-secret-file mine: read again, the secret has changed"), client.log());
  BOOST_TEST(!holds(client.log(), "refused the secret"), client.log());
}

BOOST_AUTO_TEST_SUITE_END()
