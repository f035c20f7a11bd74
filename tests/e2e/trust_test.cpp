#include "e2e/refusal.hpp"
#include "support/certificates.hpp"
#include "support/unknown_name.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

crypto::credential authority(wall_time from, wall_time to) {
  testing::certificate_plan plan{"GoTunnel CA", from, to, {}, false};
  plan.extensions = {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign"}};
  return testing::make_certificate(plan);
}

const std::string other_pin = "sha256:" + std::string(64, 'a');

/// OpenSSL's own server, for certificates that ours refuses to serve.
class tls_server {
public:
  tls_server(const scratch_directory& room, const crypto::credential& leaf) {
    spill(room.path() / "leaf.pem", leaf.certificate + std::string(leaf.key.reveal()));
    child_options options;
    options.arguments = {"s_server", "-accept",  "127.0.0.1:0", "-cert",      "leaf.pem",
                         "-key",     "leaf.pem", "-alpn",       "gotunnel/1", "-www"};
    options.directory = room.path().string();
    child_ = std::make_unique<child_process>("openssl", options);
    const auto line = child_->wait_for(output::out, "ACCEPT ", patience);
    if (!line) throw std::runtime_error("openssl s_server: " + child_->captured(output::err));
    address_ = "127.0.0.1:" + std::to_string(port_of(*line));
  }
  [[nodiscard]] const std::string& address() const { return address_; }

private:
  std::unique_ptr<child_process> child_;
  std::string address_;
};

/// What a client that does not retry says and leaves: one line, exit code 1.
std::string last_word(const scratch_directory& room, const std::string& server, const words& more,
                      const std::string& secret = test_secret) {
  child_options options;
  options.arguments = {"client", "-server", server, "-no-retry", "-state-dir", "state", "-remote-port", "0"};
  options.arguments.insert(options.arguments.end(), more.begin(), more.end());
  options.environment = {{"GOTUNNEL_SECRET", secret}};
  options.directory = room.path().string();
  const run_outcome outcome = run_program(options);
  BOOST_TEST(outcome.code == 1);
  BOOST_TEST(outcome.out == "");
  BOOST_TEST(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1, outcome.err);
  const std::string_view mark = " error reverse: ";
  const std::size_t at = outcome.err.find(mark);
  return at == std::string::npos
             ? outcome.err
             : outcome.err.substr(at + mark.size(), outcome.err.size() - at - mark.size() - 1);
}

} // namespace

BOOST_AUTO_TEST_SUITE(trust)

BOOST_AUTO_TEST_CASE(a_ca_file_that_cannot_be_used_is_refused_before_the_first_attempt) {
  const scratch_directory room;
  spill(room.path() / "secret", test_secret);
  std::filesystem::permissions(room.path() / "secret", std::filesystem::perms(0600));
  const wall_time ended = now() - 24h;
  const auto old = authority(ended - 24h, ended);
  const auto good = authority(now() - 48h, now() + 24h);
  spill(room.path() / "old.crt", old.certificate);
  spill(room.path() / "leaf.crt",
        testing::make_certificate(testing::plain_leaf(now() - 24h, now() + 24h), &good).certificate);
  spill(room.path() / "junk.crt", "-----BEGIN CERTIFICATE-----\njunk\n-----END CERTIFICATE-----\n");
  spill(room.path() / "key.crt", good.key.reveal());
  const std::string copy_or_pin =
      "; copy ca.crt from the server, or use the pin that the server prints with -pin";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"nowhere.crt", "cannot read: No such file or directory" + copy_or_pin},
      {".", "cannot read: Is a directory" + copy_or_pin},
      {"", "cannot read: No such file or directory" + copy_or_pin},
      {"junk.crt", "not a PEM certificate; copy ca.crt from the server again"},
      {"key.crt", "not a PEM certificate; copy ca.crt from the server again"},
      {"leaf.crt", "the certificate of a server, not of a CA; copy ca.crt from the server"},
      {"old.crt", "the certificate ended on " + describe(ended) + "; copy the new ca.crt from the server"},
  };
  for (const auto& [file, why] : cases)
    check_refusal(room, {{"client", "-server", "127.0.0.1:1", "-secret-file", "secret", "-ca", file},
                         "-ca \"" + file + "\": " + why});
  check_refusal(room, {{"client", "-server", "127.0.0.1:1", "-secret-file", "secret"},
                       "-ca \"ca.crt\": cannot read: No such file or directory" + copy_or_pin});
}

BOOST_AUTO_TEST_CASE(a_server_of_another_ca_or_secret) {
  const scratch_directory room;
  server_process server(room);
  spill(room.path() / "other.crt", authority(now() - 1h, now() + 24h).certificate);
  const std::string remedy = "; copy ca.crt from the server, or give the pin that it prints with -pin";
  BOOST_TEST(last_word(room, server.address(), {"-ca", "other.crt"}) ==
             "the certificate of " + server.address() + " is not of the CA given by -ca other.crt" + remedy);
  BOOST_TEST(last_word(room, server.address(), {"-pin", other_pin}) ==
             "the certificate of " + server.address() + " is not of the CA given by -pin " + other_pin +
                 remedy);
  BOOST_TEST(last_word(room, server.address(), {"-ca", "certs/ca.crt"}, "not-sesame-4711-opens") ==
             server.address() +
                 " refused the secret; give the server's own with -secret-file, -secret or GOTUNNEL_SECRET");
}

BOOST_AUTO_TEST_CASE(a_server_whose_certificate_is_for_something_else_or_expired) {
  const scratch_directory room;
  const auto ca = authority(now() - 48h, now() + 24h);
  spill(room.path() / "ca.crt", ca.certificate);
  {
    auto plan = testing::plain_leaf(now() - 24h, now() + 24h);
    plan.extensions = {{NID_subject_alt_name, "DNS:elsewhere.example"}};
    const tls_server server(room, testing::make_certificate(plan, &ca));
    BOOST_TEST(last_word(room, server.address(), {}) ==
               "the certificate of " + server.address() +
                   " is of the right CA but not for gotunnel.internal; give the server the server.crt that "
                   "it made itself");
  }
  for (const auto& [from, to] : {std::pair{now() - 48h, now() - 24h}, std::pair{now() + 24h, now() + 48h}}) {
    const tls_server server(room, testing::make_certificate(testing::plain_leaf(from, to), &ca));
    BOOST_TEST(
        last_word(room, server.address(), {}) ==
        "the certificate of " + server.address() +
            " is expired or not yet valid; `gotunnel pki show` on the server says which, and what to do; "
            "check the clocks of both machines");
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_server_at_all) {
  const scratch_directory room;
  std::uint16_t closed = 0;
  { closed = loopback_listener().port(); }
  const std::string address = "127.0.0.1:" + std::to_string(closed);
  BOOST_TEST(last_word(room, address, {"-pin", other_pin}) ==
             "cannot connect to " + address +
                 ": Connection refused; check -server, and that the server runs and can be reached");
  BOOST_TEST(last_word(room, unknown_name + ":7000", {"-pin", other_pin}) ==
             "cannot connect to " + unknown_name + ":7000: " + trouble_with_unknown_name() +
                 "; check -server, and that this machine can look names up");
  const local_service web([](loopback_socket& visitor) {
    static_cast<void>(visitor.read(1));
    visitor.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  const local_service talker([](loopback_socket& visitor) { visitor.write("220 mail ready\r\n"); });
  for (const local_service* each : {&web, &talker}) {
    const std::string there = "127.0.0.1:" + std::to_string(each->port());
    const std::string said = last_word(room, there, {"-pin", other_pin});
    BOOST_TEST(said.find(there) != std::string::npos);
    BOOST_TEST(said.find("; check -server") != std::string::npos, said);
  }
}

BOOST_AUTO_TEST_CASE(a_port_that_the_server_does_not_give) {
  const scratch_directory room;
  server_setup setup;
  setup.more = {"-allow-ports", "20000-20010"};
  server_process server(room, setup);
  const std::string said =
      last_word(room, server.address(), {"-ca", "certs/ca.crt", "-remote-port", "30000"});
  BOOST_TEST(said.starts_with(server.address() + " refused -remote-port 30000: "), said);
  BOOST_TEST(said.find("20000-20010") != std::string::npos, said);
}

BOOST_AUTO_TEST_CASE(with_retries_the_same_trouble_is_said_once) {
  const scratch_directory room;
  server_process server(room);
  client_setup with;
  with.secret = "wrong";
  with.more = {"-log-level", "debug"};
  with.max_retry_interval = "10ms";
  with.wait_until_ready = false;
  client_process client(room, server, 9, with);
  for (int attempt = 0; attempt < 3; ++attempt)
    BOOST_TEST(client.child().wait_for(output::err, "refused the secret", patience).has_value());
  BOOST_TEST(client.stop() == 0);
  const std::string log = client.log();
  const std::size_t first = log.find(" warn  reverse: " + server.address() + " refused the secret");
  BOOST_TEST(first != std::string::npos, log);
  BOOST_TEST(log.find(" warn ", first + 1) == std::string::npos, log);
}

BOOST_AUTO_TEST_SUITE_END()
