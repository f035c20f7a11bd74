#include "gotunnel/app/config.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "support/certificates.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::app;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

server_config server(const words& more) {
  words arguments{"-secret", "0a93f1b7c25e84d6"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return read_server_config(server_options().parse(arguments));
}

const words pinned{"-secret", "s", "-server", "a:1", "-pin", "sha256:" + std::string(64, 'A')};

client_config client(const words& more) {
  words arguments = pinned;
  arguments.insert(arguments.end(), more.begin(), more.end());
  return read_client_config(client_options().parse(arguments));
}

template <class Read>
std::string refusal(Read read) {
  try {
    static_cast<void>(read());
  } catch (const usage_error& e) {
    return e.what();
  }
  return "accepted";
}

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

/// What reading a CA file with this content leads to.
std::string refusal_of_ca(std::string_view pem) {
  const testing::scratch_directory room;
  testing::spill(room.path() / "ca.crt", pem);
  const std::string path = room.file("ca.crt");
  const std::string text = refusal([&] {
    return read_client_config(client_options().parse({"-secret", "s", "-server", "a:1", "-ca", path}));
  });
  const std::string prefix = "-ca \"" + path + "\": ";
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

testing::certificate_plan authority(wall_time from, wall_time to) {
  testing::certificate_plan plan{"GoTunnel CA", from, to, {}, false};
  plan.extensions = {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign"}};
  return plan;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(a_server_with_nothing_but_a_secret) {
  const server_config read = server({});
  BOOST_TEST(read.listen.host == "");
  BOOST_TEST(read.listen.port == 7000);
  BOOST_TEST(read.bind_host == "");
  BOOST_TEST(read.allow_ports.to_string() == "1024-65535");
  BOOST_TEST(read.certs.string() == "certs");
  BOOST_TEST(read.workers >= 1U);
  BOOST_TEST((read.grace == 8s));
  BOOST_TEST((read.cert_check == 1min));
  BOOST_TEST((read.keepalive == 4s));
  BOOST_TEST(read.seed_peers);
  BOOST_TEST((read.logging.level == log::level::info));
  BOOST_TEST((read.logging.format == log::format::text));
  BOOST_TEST(read.warnings.empty());
}

BOOST_AUTO_TEST_CASE(what_a_server_is_told) {
  const server_config read = server({"-listen",
                                     "[::1]:7001",
                                     "-bind",
                                     "[::1]",
                                     "-allow-ports",
                                     "443,80,80-81",
                                     "-certs",
                                     "/x",
                                     "-allow-clients",
                                     "10.0.0.0/8,::1",
                                     "-allow-visitors=::/0",
                                     "-workers",
                                     "3",
                                     "-grace",
                                     "1m",
                                     "-cert-check=10ms",
                                     "-memory-limit",
                                     "1.5G",
                                     "-seed-peers",
                                     "off",
                                     "-log-level",
                                     "debug",
                                     "-log-format",
                                     "json"});
  BOOST_TEST(read.listen.host == "::1");
  BOOST_TEST(read.listen.port == 7001);
  BOOST_TEST(read.bind_host == "::1");
  BOOST_TEST(read.allow_ports.to_string() == "80-81,443");
  BOOST_TEST(read.allow_clients.to_string() == "10.0.0.0/8,::1/128");
  BOOST_TEST(read.allow_visitors.to_string() == "::/0");
  BOOST_TEST(read.certs.string() == "/x");
  BOOST_TEST(read.workers == 3U);
  BOOST_TEST((read.grace == 1min));
  BOOST_TEST((read.cert_check == 10ms));
  BOOST_TEST(read.memory_limit == 1536U * 1024 * 1024);
  BOOST_TEST(!read.seed_peers);
  BOOST_TEST((read.logging.level == log::level::debug));
  BOOST_TEST((read.logging.format == log::format::json));
}

BOOST_AUTO_TEST_CASE(addresses_of_a_server) {
  for (const char* text : {"0", ":0", "65535", "0.0.0.0:1", "host.example:1"})
    BOOST_CHECK_NO_THROW(server({"-listen", text}));
  for (const char* text : {"127.0.0.1", "::1", "[::1]", "localhost", "fe80::1%eth0", ""})
    BOOST_CHECK_NO_THROW(server({"-bind", text}));
  for (const char* text : {"127.0.0.1:80", "a b", "[::1]:80", "[]"})
    BOOST_TEST(refusal([&] {
                 return server({"-bind", text});
               }).starts_with("-bind \"" + std::string(text) + "\": not an address"));
}

BOOST_AUTO_TEST_CASE(a_client_with_a_pin) {
  const client_config read = client({});
  BOOST_TEST(read.server.host == "a");
  BOOST_TEST(read.pin == "sha256:" + std::string(64, 'a'));
  BOOST_TEST(read.ca_pem == "");
  BOOST_TEST(read.remote_port == 8080);
  BOOST_TEST(read.carriers == 1);
  BOOST_TEST(wire::to_string(read.target) == "127.0.0.1:80");
  BOOST_TEST((read.max_retry_interval == 60s));
  BOOST_TEST(read.retry);
  BOOST_TEST(!read.state_dir.empty());
}

BOOST_AUTO_TEST_CASE(what_a_client_is_told) {
  const client_config read =
      client({"-remote-port", "0", "-local-target", "unix:/run/x.sock", "-max-retry-interval", "2s",
              "-no-retry", "-state-dir", "/s", "-grace", "0", "-carriers", "16"});
  BOOST_TEST(read.remote_port == 0);
  BOOST_TEST(read.carriers == 16);
  BOOST_TEST(wire::to_string(read.target) == "unix:/run/x.sock");
  BOOST_TEST((read.max_retry_interval == 2s));
  BOOST_TEST(!read.retry);
  BOOST_TEST(read.state_dir.string() == "/s");
  BOOST_TEST((read.grace == 0s));
  BOOST_TEST(client({"-no-retry=false"}).retry);
  for (const char* text : {"[::1]:80", "localhost:80", "unix:relative"})
    BOOST_CHECK_NO_THROW(client({"-local-target", text}));
}

BOOST_AUTO_TEST_CASE(the_ca_is_looked_at_before_the_first_attempt) {
  const auto good = testing::make_certificate(authority(now() - 24h, now() + 24h));
  BOOST_TEST(refusal_of_ca(good.certificate) == "accepted");
  BOOST_TEST(refusal_of_ca("# a comment\n" + good.certificate) == "accepted");
  for (const std::string& edited : testing::as_editors_leave_it(good.certificate))
    BOOST_TEST(refusal_of_ca(edited) == "accepted");
  BOOST_TEST(refusal_of_ca("") == "not a PEM certificate; copy ca.crt from the server again");
  BOOST_TEST(refusal_of_ca("junk") == "not a PEM certificate; copy ca.crt from the server again");
  BOOST_TEST(refusal_of_ca(good.key.reveal()) == "not a PEM certificate; copy ca.crt from the server again");
  BOOST_TEST(refusal_of_ca(good.certificate.substr(0, 300)) ==
             "not a PEM certificate; copy ca.crt from the server again");
  const auto old = testing::make_certificate(authority(now() - 48h, now() - 24h));
  BOOST_TEST(refusal_of_ca(old.certificate).starts_with("the certificate ended on "));
  const auto leaf = testing::make_certificate(testing::plain_leaf(now() - 24h, now() + 24h), &good);
  BOOST_TEST(refusal_of_ca(leaf.certificate) ==
             "the certificate of a server, not of a CA; copy ca.crt from the server");
  BOOST_TEST(refusal_of_ca(std::string(70000, '\n')).starts_with("cannot read: File too large"));
}

BOOST_AUTO_TEST_CASE(the_ca_may_come_through_a_pipe) {
  const auto good = testing::make_certificate(authority(now() - 24h, now() + 24h));
  std::array<int, 2> pipe{};
  BOOST_TEST_REQUIRE(::pipe(pipe.data()) == 0);
  const auto size = static_cast<ssize_t>(good.certificate.size());
  BOOST_TEST(::write(pipe[1], good.certificate.data(), good.certificate.size()) == size);
  ::close(pipe[1]);
  const auto read = read_client_config(client_options().parse(
      {"-secret", "s", "-server", "a:1", "-ca", "/dev/fd/" + std::to_string(pipe[0])}));
  ::close(pipe[0]);
  BOOST_TEST(read.ca_pem == good.certificate);
}

BOOST_AUTO_TEST_SUITE_END()
