#include "gotunnel/app/banner.hpp"
#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/passed_socket.hpp"
#include "gotunnel/app/privileges.hpp"
#include "gotunnel/app/reloader.hpp"
#include "gotunnel/app/sandbox.hpp"
#include "gotunnel/app/service_manager.hpp"
#include "gotunnel/app/shutdown.hpp"
#include "gotunnel/app/status.hpp"
#include "gotunnel/app/tunnel_door.hpp"
#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/reverse/server.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include <unistd.h>

namespace gotunnel::app {
namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

asio::awaitable<void> serve_until_stopped(asio::signal_set& signals, net::worker_pool& pool,
                                          reverse::server& server, net::task_group& tasks,
                                          service_manager& manager, duration grace) {
  const int number = co_await stop_signal(signals);
  manager.stopping("stopping: running connections may finish");
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
  if (!given.empty() && given.front() == "reload") return reload_command({given.begin() + 1, given.end()});
  const auto options = server_options().parse(given);
  if (options.help_wanted()) {
    std::fputs(server_help().c_str(), stdout);
    return 0;
  }
  server_config config = read_server_config(options);
  start_log(config.logging, config.warnings);
  memory_budget::of_process().set_limit(config.memory_limit);

  net::descriptor passed = take_passed_socket();
  service_manager manager;
  if (!manager.trouble().empty()) log::warn("app", "{}", manager.trouble());

  // Addresses before certificates: a start that fails on one of them has written nothing.
  net::worker_pool pool(config.workers);
  // From here on a signal waits until it can be answered in good order; who reads "ready" may send one at
  // once.
  asio::signal_set signals(pool.front().where(), SIGINT, SIGTERM);
  asio::signal_set hangups(pool.front().where(), SIGHUP);
  auto door =
      open_tunnel_door(pool.front().where(), std::move(passed), config.listen, options.text("listen"));
  if (!config.bind_host.empty())
    try_public_address(pool.front().where(), config.bind_host, options.text("bind"));

  if (!config.user.empty()) become_user(config.user, {config.certs, config.allow_ports.any_below(1024)});
  auto certificates = link::cert_store::open(config.certs, now());
  if (certificates.created())
    log::info("app", "made a new CA and server certificate in {}", config.certs.string());
  warn_of(certificates);

  keyring keys(std::move(config.secret), config.seed_peers, link::gate_keys_limit);
  reverse::server server(pool,
                         {config.listen,
                          {config.bind_host, config.allow_ports, config.allow_visitors, config.resume_hold},
                          keys.keys(),
                          make_server_context(certificates, config.seed_peers),
                          config.allow_clients,
                          config.resume_window});
  reloader again(certificates, keys, config.seed_peers,
                 {[&](const auto& context) { server.renew(context); },
                  [&](const auto& keys_now) { server.renew(keys_now); }},
                 manager);
  const auto started = std::chrono::steady_clock::now();
  const auto status = [&]() -> asio::awaitable<std::string> {
    co_return status_json({net::to_string(server.address()), config.workers,
                           std::chrono::steady_clock::now() - started, server.held_ports()});
  };
  const auto reload = [&again] { return again.answer(); };
  control_socket control(pool.front().where(), config.certs,
                         {{"status", {status}}, {"reload", {reload, reload_limit}}});
  if (!control.trouble().empty()) log::warn("app", "{}", control.trouble());
  log::debug("app", "{}", enter_sandbox(config.sandbox, {{config.certs}, keys.file(), true}));
  server.start(std::move(door.listener));
  const auto address = server.address();
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const std::string text =
      banner({net::to_string(address), door.host, address.port(), certificates.authority(),
              certificates.authority_facts().pin, keys.keys()->first().secret, terminal});
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  manager.ready(fmt::format("serving on {}", net::to_string(address)));

  net::task_group tasks(pool.front().where(), "app");
  net::task_group stopping(pool.front().where(), "app");
  tasks.spawn("control socket", control.serve());
  tasks.spawn("certificates", again.watch(config.cert_check));
  tasks.spawn("hangups", again.on_signals(hangups));
  tasks.spawn("watchdog", manager.keep_alive());
  stopping.spawn("signals", serve_until_stopped(signals, pool, server, tasks, manager, config.grace));
  pool.run();
  log::info("app", "stopped");
  return 0;
}

} // namespace gotunnel::app
