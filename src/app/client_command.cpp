#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/keyring.hpp"
#include "gotunnel/app/sandbox.hpp"
#include "gotunnel/app/shutdown.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/net/route_watch.hpp"
#include "gotunnel/net/worker_pool.hpp"
#include "gotunnel/reverse/carrier_group.hpp"
#include "gotunnel/reverse/client_identity.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

namespace gotunnel::app {
namespace {

crypto::tls_context make_context(const client_config& config) {
  crypto::tls_client_options options;
  options.authority = config.ca_pem;
  options.pin = config.pin;
  options.seed_peers = config.seed_peers;
  auto context = crypto::tls_context::client(options);
  if (!context)
    throw usage_error(fmt::format("-ca \"{}\": {}; copy ca.crt from the server again",
                                  config.ca_file.string(), context.error().message()));
  return *context;
}

reverse::client_options make_options(const client_config& config, const wire::peer_id& client,
                                     keyring& keys) {
  link::dial_options way{config.server, make_context(config), [&keys] { return keys.latest(); }, client, {}};
  crypto::random_bytes(way.instance);
  way.resume_window = config.resume_window;
  reverse::client_options options{std::move(way)};
  options.remote_port = config.remote_port;
  options.target = config.target;
  options.max_retry_interval = config.max_retry_interval;
  options.retry = config.retry;
  options.trust = config.pin.empty() ? fmt::format("-ca {}", config.ca_file.string())
                                     : fmt::format("-pin {}", config.pin);
  return options;
}

asio::awaitable<void> run_until_stopped(reverse::carrier_group& client, net::worker_pool& pool,
                                        net::task_group& signals) {
  co_await client.run();
  signals.cancel();
  pool.release();
}

/// A new address or route may have cut the carriers without a word.
asio::awaitable<void> watch_routes(net::route_watch watch, reverse::carrier_group& client) {
  for (;;) {
    const auto changed = co_await watch.changed();
    if (!changed) co_return;
    client.doubt_carriers();
  }
}

asio::awaitable<void> stop_on_signal(asio::signal_set& signals, reverse::carrier_group& client,
                                     duration grace) {
  const int number = co_await stop_signal(signals);
  if (number == 0) co_return;
  log::info("app", "{}: giving the port back; running connections may finish within {} s",
            ::strsignal(number), std::chrono::duration_cast<std::chrono::seconds>(grace).count());
  client.stop(grace);
  co_await exit_on_signal(signals);
}

} // namespace

int client_command(const arguments& given) {
  const auto parsed = client_options().parse(given);
  if (parsed.help_wanted()) {
    std::fputs(client_help().c_str(), stdout);
    return 0;
  }
  client_config config = read_client_config(parsed);
  start_log(config.logging, config.warnings);
  memory_budget::of_process().set_limit(config.memory_limit);

  const auto identity = reverse::client_identity::claim(config.state_dir, config.server, config.remote_port);
  if (!identity.durable)
    log::warn("app",
              "{}: this client has an id for this run only and cannot take its port over after a restart; "
              "give a directory "
              "that it can write with -state-dir",
              identity.why_not);

  // There is nothing to tell it: it reads its -secret-file again whenever it needs a secret.
  std::signal(SIGHUP, SIG_IGN);
  net::file_worker files;
  net::worker_pool pool(1);
  asio::signal_set stop_signals(pool.front().where(), SIGINT, SIGTERM);
  keyring keys(pool.front().where(), files, std::move(config.secret), config.seed_peers, 1);
  auto options = make_options(config, identity.client, keys);
  const std::string host = config.server.host;
  const std::string target = wire::to_string(config.target);
  auto say_ready = [&](const wire::bound_answer& bound) {
    const std::string line =
        fmt::format("ready: {} -> {}\n", wire::to_string(wire::host_port{host, bound.port}), target);
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
  };
  reverse::carrier_group client(pool.front().where(), std::move(options), config.carriers,
                                std::move(say_ready));
  log::debug("app", "{}", enter_sandbox(config.sandbox, {{config.state_dir}, keys.file()}));
  net::task_group tasks(pool.front().where(), "app");
  net::task_group signals(pool.front().where(), "app");
  signals.spawn("signals", stop_on_signal(stop_signals, client, config.grace));
  // Without it a dead way is still found, by its silence.
  auto routes = net::route_watch::open(pool.front().where());
  if (routes) signals.spawn("routes", watch_routes(std::move(*routes), client));
  tasks.spawn("client", run_until_stopped(client, pool, signals));
  pool.run();
  if (client.exit_code() == 0) log::info("app", "stopped");
  return client.exit_code();
}

} // namespace gotunnel::app
