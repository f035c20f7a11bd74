#include "gotunnel/app/banner.hpp"
#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/privileges.hpp"
#include "gotunnel/app/sandbox.hpp"
#include "gotunnel/app/shutdown.hpp"
#include "gotunnel/app/status.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/link/cert_store.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/reverse/server.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include <unistd.h>

namespace gotunnel::app {
namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

crypto::tls_context make_context(const link::cert_store& certificates, bool seed_peers) {
  crypto::tls_server_options options;
  options.server = certificates.server();
  options.authority = certificates.authority();
  options.seed_peers = seed_peers;
  auto context = crypto::tls_context::server(options);
  if (!context)
    throw usage_error(fmt::format("the certificates cannot be used: {}", context.error().message()));
  return *context;
}

void warn_of(const link::cert_store& certificates) {
  for (const std::string& each : certificates.warnings()) log::warn("app", "{}", each);
}

std::string address_trouble(const error_code& why) {
  namespace cause = boost::system::errc;
  if (why == cause::address_in_use) return "the address is in use; stop what uses it, or choose another port";
  if (why == cause::address_not_available)
    return "this machine has no such address; give one of its own, or none for all";
  if (why == cause::permission_denied)
    return "permission denied; choose a port above 1023, or run with CAP_NET_BIND_SERVICE";
  if (why.category() == asio::error::get_netdb_category() ||
      why.category() == asio::error::get_addrinfo_category())
    return "the host name is unknown; give an address of this machine, or none for all";
  return fmt::format("{}; choose another address", why.message());
}

net::tcp_listener open_door(const net::executor& where, const wire::host_port& address,
                            std::string_view option, const std::string& text) {
  auto opened = net::tcp_listener::open(where, address);
  if (!opened)
    throw usage_error(fmt::format("-{} \"{}\": {}", option, text, address_trouble(opened.error())));
  return std::move(*opened);
}

/// Renews the leaf when it is due and reads the files again when somebody else changed them; nobody is
/// dropped.
asio::awaitable<void> watch_certificates(link::cert_store& certificates, const server_config& config,
                                         reverse::server& server) {
  std::string last_trouble;
  for (;;) {
    co_await net::sleep_for(config.cert_check);
    try {
      bool changed = certificates.reload();
      if (certificates.due(now()) && certificates.renewable()) {
        certificates.renew(now());
        changed = true;
      }
      if (!changed) continue;
      server.renew(make_context(certificates, config.seed_peers));
      log::info("app", "the server certificate is now valid until {}",
                describe(certificates.server_facts().not_after));
      warn_of(certificates);
      last_trouble.clear();
    } catch (const std::runtime_error& e) {
      if (last_trouble != e.what()) log::error("app", "{}", e.what());
      last_trouble = e.what();
    }
  }
}

asio::awaitable<void> serve_until_stopped(asio::signal_set& signals, net::worker_pool& pool,
                                          reverse::server& server, net::task_group& tasks, duration grace) {
  const int number = co_await stop_signal(signals);
  log::info("app", "{}: closing the doors; running connections may finish within {} s", ::strsignal(number),
            std::chrono::duration_cast<std::chrono::seconds>(grace).count());
  net::task_group impatience(pool.front().where(), "app");
  impatience.spawn("second signal", exit_on_signal(signals));
  co_await server.stop(grace);
  impatience.cancel();
  co_await impatience.join();
  tasks.cancel();
  pool.release();
}

} // namespace

int server_command(const arguments& given) {
  if (!given.empty() && given.front() == "status") return status_command({given.begin() + 1, given.end()});
  const auto options = server_options().parse(given);
  if (options.help_wanted()) {
    std::fputs(server_help().c_str(), stdout);
    return 0;
  }
  const server_config config = read_server_config(options);
  start_log(config.logging, config.warnings);
  memory_budget::of_process().set_limit(config.memory_limit);

  // Addresses before certificates: a start that fails on one of them has written nothing.
  net::worker_pool pool(config.workers);
  // From here on a signal waits until it can be answered in good order; who reads "ready" may send one at
  // once.
  asio::signal_set signals(pool.front().where(), SIGINT, SIGTERM);
  auto door = open_door(pool.front().where(), config.listen, "listen", options.text("listen"));
  if (!config.bind_host.empty())
    open_door(pool.front().where(), {config.bind_host, 0}, "bind", options.text("bind")).close();

  if (!config.user.empty()) become_user(config.user, {config.certs, config.allow_ports.any_below(1024)});
  auto certificates = link::cert_store::open(config.certs, now());
  if (certificates.created())
    log::info("app", "made a new CA and server certificate in {}", config.certs.string());
  warn_of(certificates);

  reverse::server server(pool,
                         {config.listen,
                          {config.bind_host, config.allow_ports, config.allow_visitors, config.resume_hold},
                          link::make_gate_keys(config.secret, config.seed_peers),
                          make_context(certificates, config.seed_peers),
                          config.allow_clients,
                          config.resume_window});
  const auto started = std::chrono::steady_clock::now();
  const auto status = [&]() -> asio::awaitable<std::string> {
    co_return status_json({net::to_string(server.address()), config.workers,
                           std::chrono::steady_clock::now() - started, server.held_ports()});
  };
  control_socket control(pool.front().where(), config.certs, {{"status", {status}}});
  if (!control.trouble().empty()) log::warn("app", "{}", control.trouble());
  log::debug("app", "{}", enter_sandbox(config.sandbox, {{config.certs}, true}));
  server.start(std::move(door));
  const auto address = server.address();
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const std::string text =
      banner({net::to_string(address), config.listen.host, address.port(), certificates.authority(),
              certificates.authority_facts().pin, config.secret, terminal});
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);

  net::task_group tasks(pool.front().where(), "app");
  net::task_group stopping(pool.front().where(), "app");
  tasks.spawn("control socket", control.serve());
  tasks.spawn("certificates", watch_certificates(certificates, config, server));
  stopping.spawn("signals", serve_until_stopped(signals, pool, server, tasks, config.grace));
  pool.run();
  log::info("app", "stopped");
  return 0;
}

} // namespace gotunnel::app
