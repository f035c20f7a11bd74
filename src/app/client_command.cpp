#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/console.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/keyring.hpp"
#include "gotunnel/app/ready_line.hpp"
#include "gotunnel/app/sandbox.hpp"
#include "gotunnel/app/shutdown.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/base/output.hpp"
#include "gotunnel/base/printable.hpp"
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/net/descriptor_limit.hpp"
#include "gotunnel/net/file_worker.hpp"
#include "gotunnel/net/route_watch.hpp"
#include "gotunnel/net/worker_pool.hpp"
#include "gotunnel/reverse/carrier_group.hpp"
#include "gotunnel/reverse/client_identity.hpp"
#include "gotunnel/reverse/server_memory.hpp"

#include <fmt/format.h>

#include <csignal>

namespace gotunnel::app {
namespace {

// For a few bytes in -state-dir.
constexpr duration remember_limit = 3s;

crypto::tls_context make_context(const client_config& config) {
  crypto::tls_client_options options;
  options.authority = config.ca_pem;
  options.pin = config.pin;
  options.seed_peers = config.seed_peers != link::seed_fallback::wish::off;
  auto context = crypto::tls_context::client(options);
  if (!context)
    throw usage_error(fmt::format("-ca \"{}\": {}; copy ca.crt from the server again",
                                  config.ca_file.string(), context.error().message()));
  return *context;
}

asio::awaitable<void> remember_native(net::file_worker& files, reverse::server_memory memory) {
  auto remember = [memory] { return memory.remember_native(); };
  const auto why_not = co_await files.run(remember_limit, std::move(remember));
  if (why_not && why_not->empty()) co_return;
  log::warn("app",
            "{}: that the server speaks the native protocol is remembered for this run only; give a "
            "directory that this client can write with -state-dir",
            why_not ? *why_not : why_not.error().message());
}

/// What an earlier run has learnt of the server counts in this one.
std::shared_ptr<link::seed_fallback> make_fallback(const client_config& config, net::file_worker& files,
                                                   net::task_group& tasks) {
  const reverse::server_memory memory(
      config.state_dir, config.pin.empty() ? crypto::read_certificate(config.ca_pem)->pin : config.pin);
  auto remember = [memory, &files, &tasks] { tasks.spawn("remember", remember_native(files, memory)); };
  return std::make_shared<link::seed_fallback>(config.seed_peers, memory.native(), std::move(remember));
}

reverse::client_options make_options(const client_config& config, const wire::peer_id& client, keyring& keys,
                                     std::shared_ptr<link::seed_fallback> fallback,
                                     std::size_t max_visitors) {
  link::dial_options way{config.server, make_context(config), [&keys] { return keys.latest(); }, client, {}};
  way.fallback = std::move(fallback);
  crypto::random_bytes(way.instance);
  way.resume_window = config.resume_window;
  reverse::client_options options{std::move(way)};
  options.remote_port = config.remote_port;
  options.target = config.target;
  options.max_retry_interval = config.max_retry_interval;
  options.retry = config.retry;
  options.keepalive = config.keepalive;
  options.max_visitors = max_visitors;
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

int client_command(const arguments& given, typed_secrets& typed) {
  const auto parsed = client_options().parse(given);
  if (parsed.help_wanted()) {
    print(client_help());
    return 0;
  }
  std::vector<std::string> warnings;
  secret_source secrets = read_secrets(parsed, typed, warnings);
  typed = {};
  client_config config = read_client_config(parsed);
  config.warnings.insert(config.warnings.end(), warnings.begin(), warnings.end());
  start_log(config.logging, config.warnings);
  memory_budget::of_process().set_limit(config.memory_limit);
  const std::size_t descriptors = net::raise_descriptor_limit();

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
  keyring keys(pool.front().where(), files, std::move(secrets),
               config.seed_peers != link::seed_fallback::wish::off, 1);
  net::task_group tasks(pool.front().where(), "app");
  auto options = make_options(config, identity.client, keys, make_fallback(config, files, tasks),
                              net::descriptors_for_visitors(descriptors));
  const std::string host = config.server.host;
  const std::string target = wire::to_string(config.target);
  auto say_ready = [&](const wire::bound_answer& bound) {
    announce(printable(ready_line(host, bound, target)) + '\n');
    const std::string warning = ready_warning(host, bound);
    if (!warning.empty()) log::warn("app", "{}", warning);
  };
  reverse::carrier_group client(pool.front().where(), std::move(options), config.carriers,
                                std::move(say_ready));
  log::debug("app", "{}", enter_sandbox(config.sandbox, {{config.state_dir}, keys.file()}));
  output::of_process().start(); // inside the sandbox
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
