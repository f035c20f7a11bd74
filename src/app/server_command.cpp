#include "gotunnel/app/banner.hpp"
#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/shutdown.hpp"
#include "gotunnel/app/usage_error.hpp"
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
  if (!context) throw usage_error(fmt::format("the certificates cannot be used: {}", context.error().message()));
  return *context;
}

void warn_of(const link::cert_store& certificates) {
  for (const std::string& each : certificates.warnings()) log::warn("app", "{}", each);
}

/// Renews the leaf when it is due and reads the files again when somebody else changed them; nobody is dropped.
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
      log::info("app", "the server certificate is now valid until {}", describe(certificates.server_facts().not_after));
      warn_of(certificates);
      last_trouble.clear();
    } catch (const std::runtime_error& e) {
      if (last_trouble != e.what()) log::error("app", "{}", e.what());
      last_trouble = e.what();
    }
  }
}

asio::awaitable<void> serve_until_stopped(net::worker_pool& pool, asio::signal_set& signals, reverse::server& server,
                                          net::task_group& tasks, duration grace) {
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
  const auto options = server_options().parse(given);
  if (options.help_wanted()) {
    std::fputs(server_help().c_str(), stdout);
    return 0;
  }
  const server_config config = read_server_config(options);
  start_log(config.logging, config.warnings);

  auto certificates = link::cert_store::open(config.certs, now());
  if (certificates.created()) log::info("app", "made a new CA and server certificate in {}", config.certs.string());
  warn_of(certificates);

  net::worker_pool pool(config.workers);
  // From the first client on, and so before the banner, a signal means a stop in order.
  asio::signal_set signals(pool.front().where(), SIGINT, SIGTERM);
  reverse::server server(pool, {config.listen,
                                {config.bind_host, config.allow_ports},
                                link::make_gate_keys(config.secret, config.seed_peers),
                                make_context(certificates, config.seed_peers)});
  try {
    server.start();
  } catch (const boost::system::system_error& e) {
    throw usage_error(fmt::format("-listen \"{}\": {}; stop what uses the address, or choose another", options.text("listen"),
                                  e.code().message()));
  }
  const auto address = server.address();
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const std::string text = banner({net::to_string(address), config.listen.host, address.port(), certificates.authority(),
                                   certificates.authority_facts().pin, config.secret, terminal});
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);

  net::task_group tasks(pool.front().where(), "app");
  net::task_group stopping(pool.front().where(), "app");
  tasks.spawn("certificates", watch_certificates(certificates, config, server));
  stopping.spawn("signals", serve_until_stopped(pool, signals, server, tasks, config.grace));
  pool.run();
  log::info("app", "stopped");
  return 0;
}

} // namespace gotunnel::app
