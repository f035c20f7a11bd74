// Somebody has the server's key and not the secret: a client that has met the server does not tell it.
#include "e2e/relay.hpp"
#include "e2e/tunnel.hpp"
#include "gotunnel/crypto/ossl.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>

#include <openssl/ssl.h>
#include <sys/socket.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

/// A server with the right certificate that chooses no ALPN, and writes down what it is told.
class impostor {
public:
  explicit impostor(const std::filesystem::path& certs)
      : context_(SSL_CTX_new(TLS_server_method())), thread_() {
    std::signal(SIGPIPE, SIG_IGN); // a client that hangs up is an error of the write
    BOOST_REQUIRE(
        SSL_CTX_use_certificate_file(context_.get(), (certs / "server.crt").c_str(), SSL_FILETYPE_PEM) == 1);
    BOOST_REQUIRE(
        SSL_CTX_use_PrivateKey_file(context_.get(), (certs / "server.key").c_str(), SSL_FILETYPE_PEM) == 1);
    thread_ = std::thread([this] { serve(); });
  }
  impostor(const impostor&) = delete;
  impostor& operator=(const impostor&) = delete;
  ~impostor() {
    stopping_ = true;
    ::shutdown(door_.descriptor(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return door_.port(); }
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  [[nodiscard]] int visitors() const { return visitors_; }
  [[nodiscard]] std::string told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }

private:
  void serve() {
    while (!stopping_) {
      try {
        const auto visitor = door_.accept();
        visitor.limit(2s);
        const crypto::ossl::ssl_ptr tls(SSL_new(context_.get()));
        SSL_set_fd(tls.get(), visitor.descriptor());
        ++visitors_;
        if (SSL_accept(tls.get()) != 1) continue;
        char text[256];
        const int count = SSL_read(tls.get(), text, sizeof text);
        const std::lock_guard lock(mutex_);
        told_.append(text, static_cast<std::size_t>(std::max(count, 0)));
      } catch (const std::system_error&) {
        continue; // the door was shut, or nobody came
      }
    }
  }

  crypto::ossl::ssl_context_ptr context_;
  loopback_listener door_;
  std::mutex mutex_; ///< told_
  std::string told_;
  std::atomic<int> visitors_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

struct stage {
  scratch_directory room;
  server_process server{room};
  local_service echo{local_service::echo};
  impostor thief{room.path() / "certs"};

  /// One attempt of a client that has the state directory of the others.
  [[nodiscard]] run_outcome dial_thief(const words& more = {}) const {
    child_options options;
    options.arguments = {"client",         "-server",    thief.address(), "-no-retry",    "-ca",
                         server.ca_file(), "-state-dir", "state",         "-remote-port", "0"};
    options.arguments.insert(options.arguments.end(), more.begin(), more.end());
    options.environment = {{"GOTUNNEL_SECRET", test_secret}};
    options.directory = room.path().string();
    return run_program(options);
  }
};

const std::string refusal = "speaks the original protocol, though this server, or another of its CA";

} // namespace

BOOST_AUTO_TEST_SUITE(downgrade)

BOOST_AUTO_TEST_CASE(a_client_that_resumes_does_not_tell_an_impostor) {
  stage s;
  relay way(s.server.port());
  // Even an explicit wish is for a server that has not been native in this process.
  client_process client(s.room, s.server, s.echo.port(),
                        {.more = {"-server", way.address(), "-seed-peers", "on"}});
  const auto visitor = loopback_socket::connect(client.public_port());
  visitor.limit(patience);
  visitor.write("before");
  BOOST_TEST(visitor.read(6) == "before");
  way.lead_to(s.thief.port());
  way.cut();
  BOOST_TEST(client.child().wait_for(output::err, refusal, patience).has_value());
  BOOST_TEST(s.thief.visitors() > 0);
  BOOST_TEST(s.thief.told() == "");
  // The real one is back: nothing was lost.
  way.lead_to(s.server.port());
  visitor.write("after");
  BOOST_TEST(visitor.read(5) == "after");
  BOOST_TEST(s.thief.told() == "");
}

BOOST_AUTO_TEST_CASE(nor_does_the_next_run_under_another_name) {
  stage s;
  {
    client_process client(s.room, s.server, s.echo.port());
    BOOST_TEST(client.stop() == 0);
  }
  const auto outcome = s.dial_thief();
  BOOST_TEST(outcome.code == 1);
  BOOST_TEST(outcome.err.find(refusal) != std::string::npos, outcome.err);
  BOOST_TEST(s.thief.told() == "");
}

BOOST_AUTO_TEST_CASE(who_insists_on_the_original_protocol_is_warned) {
  stage s;
  {
    client_process client(s.room, s.server, s.echo.port());
    BOOST_TEST(client.stop() == 0);
  }
  const auto outcome = s.dial_thief({"-seed-peers", "on"});
  BOOST_TEST(outcome.err.find("is sent the secret because of -seed-peers on") != std::string::npos,
             outcome.err);
  BOOST_TEST(s.thief.told() == test_secret + "\n");
}

BOOST_AUTO_TEST_CASE(a_server_that_was_never_native_is_served_as_ever) {
  stage s;
  BOOST_TEST(s.dial_thief().code == 1);
  BOOST_TEST(s.thief.told() == test_secret + "\n");
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_written_means_for_this_run_only) {
  stage s;
  spill(s.room.path() / "file", "in the way");
  client_process client(s.room, s.server, s.echo.port(), {.more = {"-state-dir", "file/state"}});
  BOOST_TEST(client.log().find("is remembered for this run only") != std::string::npos, client.log());
}

BOOST_AUTO_TEST_SUITE_END()
