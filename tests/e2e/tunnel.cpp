#include "e2e/tunnel.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace gotunnel::testing {
namespace {

[[noreturn]] void give_up(const std::string& waiting_for, const child_process& child) {
  throw std::runtime_error("no " + waiting_for + "; stdout:\n" + child.captured(output::out) + "\nstderr:\n" +
                           child.captured(output::err));
}

int stop_and_wait(child_process& child) {
  child.signal(SIGTERM);
  const auto ended = child.wait(patience);
  if (!ended) give_up("end after SIGTERM", child);
  return ended->code;
}

void append(words& to, const words& more) { to.insert(to.end(), more.begin(), more.end()); }

} // namespace

std::string program() { return GOTUNNEL_PROGRAM; }

run_outcome run_program(const child_options& options) {
  // The secret of whoever runs the tests must not decide how they end.
  ::unsetenv("GOTUNNEL_SECRET");
  child_process child(program(), options);
  const auto ended = child.wait(patience);
  if (!ended) give_up("end", child);
  return {ended->code, child.captured(output::out), child.captured(output::err)};
}

run_outcome run_program(const words& arguments) { return run_program(child_options{.arguments = arguments}); }

server_process::server_process(const scratch_directory& room, const server_setup& setup)
    : ca_file_(room.file(setup.certs + "/ca.crt")), secret_(setup.secret) {
  child_options options;
  options.arguments = {"server", "-listen", setup.listen, "-bind", "127.0.0.1", "-certs", setup.certs};
  append(options.arguments, setup.more);
  options.environment = setup.environment;
  options.environment.emplace_back("GOTUNNEL_SECRET", setup.secret);
  options.directory = room.path().string();
  options.limits = setup.limits;
  const std::string file = setup.program.empty() ? program() : setup.program;
  options.pass = setup.passed_socket;
  options.err = setup.err;
  if (setup.passed_socket >= 0) {
    // The shell knows the number of the process that it becomes.
    const words shell{"-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"", file};
    options.arguments.insert(options.arguments.begin(), shell.begin(), shell.end());
  }
  child_ = std::make_unique<child_process>(setup.passed_socket < 0 ? file : "/bin/sh", options);
  const auto line = child_->wait_for(output::out, "gotunnel server is ready on ", patience);
  if (!line) give_up("banner of the server", *child_);
  port_ = port_of(*line);
}

int server_process::stop() { return stop_and_wait(*child_); }

client_process::client_process(const scratch_directory& room, const server_process& server,
                               std::uint16_t local_port, const client_setup& setup)
    : client_process(room, server, "127.0.0.1:" + std::to_string(local_port), setup) {}

client_process::client_process(const scratch_directory& room, const server_process& server,
                               const std::string& local_target, const client_setup& setup) {
  child_options options;
  options.arguments = {"client",
                       "-server",
                       server.address(),
                       "-remote-port",
                       std::to_string(setup.remote_port),
                       "-local-target",
                       local_target,
                       "-max-retry-interval",
                       setup.max_retry_interval,
                       "-state-dir",
                       room.file("state")};
  bool own_trust = false;
  for (const std::string& word : setup.more) own_trust = own_trust || word == "-ca" || word == "-pin";
  if (!own_trust) append(options.arguments, {"-ca", server.ca_file()});
  append(options.arguments, setup.more);
  options.environment = {{"GOTUNNEL_SECRET", setup.secret.empty() ? server.secret() : setup.secret}};
  options.directory = room.path().string();
  options.out = setup.out;
  child_ = std::make_unique<child_process>(program(), options);
  if (setup.wait_until_ready) wait_until_ready();
}

void client_process::wait_until_ready() {
  const auto line = child_->wait_for(output::out, "ready: ", patience);
  if (!line) give_up("ready line of the client", *child_);
  public_port_ = port_of(std::string_view(*line).substr(0, line->find(" -> ")));
}

int client_process::stop() { return stop_and_wait(*child_); }

local_service::local_service(handler serve) : serve_(std::move(serve)), acceptor_([this] { accept_all(); }) {}

local_service::~local_service() {
  stopping_ = true;
  // A visitor of our own wakes the accept.
  try {
    [[maybe_unused]] const auto waker = loopback_socket::connect(port());
  } catch (const std::system_error&) {
    // The listener has a visitor already, or its time limit wakes it.
  }
  acceptor_.join();
  for (const connection& each : connections_) ::shutdown(each.socket.descriptor(), SHUT_RDWR);
  for (connection& each : connections_) each.thread.join();
}

void local_service::accept_all() {
  while (!stopping_) {
    try {
      loopback_socket socket = listener_.accept();
      if (stopping_) return;
      ++visitors_;
      connection& next = connections_.emplace_back();
      next.socket = std::move(socket);
      next.thread = std::thread([this, &visitor = next.socket] {
        try {
          serve_(visitor);
        } catch (const std::system_error&) {
          // The visitor left; its side of the test says whether it should have.
        }
        // The descriptor stays until the end, so that nobody shuts down a stranger that got its number.
        ::shutdown(visitor.descriptor(), SHUT_RDWR);
      });
    } catch (const std::system_error&) {
      // The time limit of one accept.
    }
  }
}

void local_service::echo(loopback_socket& visitor) {
  std::array<char, 64 * 1024> piece{};
  for (;;) {
    const ssize_t count = ::recv(visitor.descriptor(), piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    visitor.write({piece.data(), static_cast<std::size_t>(count)});
  }
  visitor.shutdown_write();
}

local_service::handler local_service::one_answer(std::string answer) {
  return [answer = std::move(answer)](loopback_socket& visitor) {
    [[maybe_unused]] const std::string request = read_to_end(visitor);
    visitor.write(answer);
    visitor.shutdown_write();
  };
}

std::string read_to_end(const loopback_socket& from) {
  std::string all;
  for (;;) {
    const std::string piece = from.read(64UL * 1024);
    all += piece;
    if (piece.size() < 64UL * 1024) return all;
  }
}

std::string visit(std::uint16_t port, const std::string& request) {
  const auto visitor = loopback_socket::connect(port);
  visitor.limit(patience);
  visitor.write(request);
  visitor.shutdown_write();
  return read_to_end(visitor);
}

std::uint16_t port_of(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  std::uint16_t port = 0;
  if (colon != std::string_view::npos)
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  if (port == 0) throw std::runtime_error("no port in \"" + std::string(address) + "\"");
  return port;
}

} // namespace gotunnel::testing
