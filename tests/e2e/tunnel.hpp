// What end-to-end tests are made of: the real program as server and as client, local services behind it, and
// visitors.
//
//   scratch_directory room;
//   server_process server(room);                        // 127.0.0.1, a port of the kernel's choice; ready on
//   return local_service echo(local_service::echo); client_process client(room, server, echo.port());   //
//   ready on return BOOST_TEST(visit(client.public_port(), "hello") == "hello"); BOOST_TEST(server.stop() ==
//   0);
//
// Every wait has a deadline and throws std::runtime_error, with all that the program said, when it passes.
// Each destructor ends what its object started, and nothing else. Services run on threads of their own; a
// handler must not use the macros of Boost.Test, which are not made for threads.
#pragma once

#include "support/child_process.hpp"
#include "support/loopback.hpp"
#include "support/scratch_directory.hpp"

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace gotunnel::testing {

using words = std::vector<std::string>;

inline const std::string test_secret = "sesame-4711-opens";
/// For whatever takes a moment; a healthy program needs a fraction of it, even under a sanitizer.
inline constexpr std::chrono::seconds patience{20};

/// Path of the program under test.
[[nodiscard]] std::string program();

/// All that one run of the program left.
struct run_outcome {
  int code = 0;
  std::string out;
  std::string err;
};

/// Runs the program to its end. The environment holds no GOTUNNEL_SECRET unless `options` says so.
[[nodiscard]] run_outcome run_program(const child_options& options);
[[nodiscard]] run_outcome run_program(const words& arguments);

struct server_setup {
  words more{};                     ///< options after ours, so that they win
  std::string secret = test_secret; ///< given by the environment
  std::string listen = "127.0.0.1:0";
  std::string certs = "certs"; ///< in the room
  std::vector<std::pair<std::string, std::string>> environment{};
  std::vector<resource_limit> limits{};
  std::string program{};  ///< another file with it; empty: program()
  int passed_socket = -1; ///< one that listens, given as a service manager does
  int err = -1;           ///< its standard error; log() has nothing then
};

/// `gotunnel server` in the room. The constructor returns when it accepts clients.
class server_process {
public:
  explicit server_process(const scratch_directory& room, const server_setup& setup = {});

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// 127.0.0.1:port, for -server.
  [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] const std::string& ca_file() const noexcept { return ca_file_; }
  [[nodiscard]] const std::string& secret() const noexcept { return secret_; }
  [[nodiscard]] child_process& child() noexcept { return *child_; }
  [[nodiscard]] std::string log() const { return child_->captured(output::err); }
  /// SIGTERM; the exit code.
  int stop();

private:
  std::string ca_file_;
  std::string secret_;
  std::unique_ptr<child_process> child_;
  std::uint16_t port_ = 0;
};

struct client_setup {
  words more{};
  std::string secret{};          ///< empty: the server's
  std::uint16_t remote_port = 0; ///< 0: the server chooses
  std::string max_retry_interval = "200ms";
  bool wait_until_ready = true;
  int out = -1; ///< its standard output; there is no `ready:` to wait for then
};

/// `gotunnel client` in the room; its state directory is the room's `state`.
class client_process {
public:
  client_process(const scratch_directory& room, const server_process& server, std::uint16_t local_port,
                 const client_setup& setup = {});
  client_process(const scratch_directory& room, const server_process& server, const std::string& local_target,
                 const client_setup& setup = {});

  /// Waits for the next `ready:` line.
  void wait_until_ready();
  /// Of the latest `ready:` line.
  [[nodiscard]] std::uint16_t public_port() const noexcept { return public_port_; }
  [[nodiscard]] child_process& child() noexcept { return *child_; }
  [[nodiscard]] std::string log() const { return child_->captured(output::err); }
  int stop();

private:
  std::unique_ptr<child_process> child_;
  std::uint16_t public_port_ = 0;
};

/// A TCP service on 127.0.0.1: the handler runs once a connection, on a thread of its own.
class local_service {
public:
  using handler = std::function<void(loopback_socket&)>;

  explicit local_service(handler serve);
  local_service(const local_service&) = delete;
  local_service& operator=(const local_service&) = delete;
  ~local_service(); ///< breaks what is still connected

  [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }
  [[nodiscard]] std::size_t visitors() const noexcept { return visitors_; }

  /// Sends back what comes, until the other side ends.
  static void echo(loopback_socket& visitor);
  /// Reads to the end of what comes, then says `answer` and ends.
  static handler one_answer(std::string answer);

private:
  struct connection {
    loopback_socket socket;
    std::thread thread;
  };

  void accept_all();

  handler serve_;
  loopback_listener listener_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> visitors_ = 0;
  std::list<connection> connections_; ///< of the accepting thread until it is joined
  std::thread acceptor_;
};

/// Reads until the other side ends its stream.
[[nodiscard]] std::string read_to_end(const loopback_socket& from);
/// Connects, says `request`, ends its own side, and returns all that comes back.
[[nodiscard]] std::string visit(std::uint16_t port, const std::string& request);

/// The number behind the last colon of "host:port".
[[nodiscard]] std::uint16_t port_of(std::string_view address);

} // namespace gotunnel::testing
