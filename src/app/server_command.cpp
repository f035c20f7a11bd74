#include "gotunnel/app/banner.hpp"
#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/console.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/descriptor_plan.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/keyring.hpp"
#include "gotunnel/app/passed_socket.hpp"
#include "gotunnel/app/privileges.hpp"
#include "gotunnel/app/reloader.hpp"
#include "gotunnel/app/sandbox.hpp"
#include "gotunnel/app/service_manager.hpp"
#include "gotunnel/app/shutdown.hpp"
#include "gotunnel/app/starter.hpp"
#include "gotunnel/app/status.hpp"
#include "gotunnel/app/tunnel_door.hpp"
#include "gotunnel/app/upgrade.hpp"
#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/base/output.hpp"
#include "gotunnel/net/descriptor_limit.hpp"
#include "gotunnel/reverse/server.hpp"

#include <boost/system/system_error.hpp>

#include <fmt/format.h>

#include <csignal>
#include <cstring>

#include <unistd.h>

namespace gotunnel::app {
namespace {

arguments with_command(const arguments& given) {
  arguments words{"server"};
  words.insert(words.end(), given.begin(), given.end());
  return words;
}

void give_root_up(const server_config& config) {
  become_user(config.user, {config.certs, config.allow_ports.any_below(1024)});
}

/// What whoever started this process passed to it, each for one process only: none of it is for those that
/// this one starts.
struct inheritance {
  net::descriptor door = take_passed_socket();
  service_manager manager;
  std::optional<net::parcel_socket> former = former_process(); ///< who has served before
};

/// A server process, from its options to its end. Members are made in their order, each from those before.
class server_process {
public:
  server_process(const parsed_options& options, server_config config, inheritance inherited, starter next,
                 secret_source secrets, descriptor_plan descriptors);

  int run();

private:
  [[nodiscard]] std::optional<tunnel_door> open_door(const parsed_options& options);
  [[nodiscard]] link::cert_store open_certificates() const;
  [[nodiscard]] reverse::server_options options_of_server() const;
  void begin_to_serve();
  void say_ready();
  [[nodiscard]] control_socket::request_table orders();

  [[nodiscard]] asio::awaitable<std::string> report_status() const;
  [[nodiscard]] asio::awaitable<std::string> hand_over();
  asio::awaitable<void> upgrade_on_signals();
  asio::awaitable<void> serve_until_stopped();

  server_config config_;
  inheritance inherited_;
  service_manager& manager_ = inherited_.manager;
  std::optional<net::parcel_socket>& former_ = inherited_.former;
  descriptor_plan descriptors_;
  bool succeeds_ = former_.has_value(); ///< another process has served before
  starter next_;
  net::file_worker files_; ///< whoever asks it lives on a worker: those go first
  net::worker_pool pool_;
  // From here on a signal waits until it can be answered in good order; who reads "ready" may send one at
  // once.
  asio::signal_set stops_;
  asio::signal_set hangups_;
  asio::signal_set upgrades_;
  net::door::addresses bind_;
  std::optional<tunnel_door> door_; ///< none when a former process has it
  link::cert_store certificates_;
  keyring keys_;
  reverse::server server_;
  reloader again_;
  upgrade upgrade_;
  time_point started_ = std::chrono::steady_clock::now();
  std::optional<control_socket> control_;
  net::task_group tasks_;
  net::task_group stopping_;
};

server_process::server_process(const parsed_options& options, server_config config, inheritance inherited,
                               starter next, secret_source secrets, descriptor_plan descriptors)
    : config_(std::move(config)), inherited_(std::move(inherited)), descriptors_(std::move(descriptors)),
      next_(std::move(next)), pool_(config_.workers), stops_(pool_.front().where(), SIGINT, SIGTERM),
      hangups_(pool_.front().where(), SIGHUP), upgrades_(pool_.front().where(), SIGUSR2),
      // Addresses before certificates: a start that fails on one of them has written nothing.
      door_(open_door(options)), certificates_(open_certificates()),
      keys_(pool_.front().where(), files_, std::move(secrets), config_.seed_peers, link::gate_keys_limit),
      server_(pool_, options_of_server()),
      again_(pool_.front().where(), files_, certificates_, keys_, config_.seed_peers,
             {[this](const auto& context) { server_.renew(context); },
              [this](const auto& keys) { server_.renew(keys); }},
             manager_),
      upgrade_(next_, keys_, server_, manager_), tasks_(pool_.front().where(), "app"),
      stopping_(pool_.front().where(), "app") {
  if (!manager_.trouble().empty()) log::warn("app", "{}", manager_.trouble());
  log::debug("app", "{}", enter_sandbox(config_.sandbox, {{config_.certs}, keys_.file()}));
}

std::optional<tunnel_door> server_process::open_door(const parsed_options& options) {
  const auto where = pool_.front().where();
  bind_ = public_addresses(where, config_.bind_host, options.text("bind"));
  std::optional<tunnel_door> opened;
  if (!former_)
    opened = open_tunnel_door(where, std::move(inherited_.door), config_.listen, options.text("listen"));
  // All doors that need the power of root are open. What starts the next process has as little as this one.
  if (!config_.user.empty()) {
    give_root_up(config_);
    if (const auto told = next_.follow(); !told) throw boost::system::system_error(told.error());
  }
  return opened;
}

link::cert_store server_process::open_certificates() const {
  auto opened = link::cert_store::open(config_.certs, now_by_the_clock(), certificate_policy());
  if (opened.created())
    log::info("app", "made a new CA and server certificate in {}", config_.certs.string());
  warn_of(opened);
  return opened;
}

reverse::server_options server_process::options_of_server() const {
  return {{bind_, config_.allow_ports, config_.allow_visitors, config_.resume_hold, descriptors_.visitors},
          keys_.keys(),
          make_server_context(certificates_, config_.seed_peers),
          config_.allow_clients,
          config_.resume_window,
          config_.keepalive,
          descriptors_.strangers};
}

int server_process::run() {
  output::of_process().start(); // inside the sandbox, and the starter is another process
  begin_to_serve();
  control_.emplace(pool_.front().where(), config_.certs, orders(), succeeds_);
  if (!control_->trouble().empty()) log::warn("app", "{}", control_->trouble());
  say_ready();
  former_.reset(); // it waits for that
  tasks_.spawn("control socket", control_->serve());
  tasks_.spawn("upgrades", upgrade_on_signals());
  tasks_.spawn("certificates", again_.watch(config_.cert_check));
  tasks_.spawn("hangups", again_.on_signals(hangups_));
  tasks_.spawn("watchdog", manager_.keep_alive());
  stopping_.spawn("signals", serve_until_stopped());
  pool_.run();
  log::info("app", "stopped");
  return 0;
}

void server_process::begin_to_serve() {
  if (!former_) return server_.start(std::move(door_->door));
  const auto taken = server_.take_over(*former_);
  if (!taken)
    throw std::runtime_error(
        fmt::format("cannot take over from the former process: {}", taken.error().message()));
  log::info("app", "took over {} clients, {} ports and {} visitors", taken->sessions, taken->ports,
            taken->visitors);
}

/// Whoever started the former process has read it already.
void server_process::say_ready() {
  const std::string listening = net::to_string(server_.tunnel_door());
  if (!succeeds_) {
    const std::string text = banner({listening, door_->host, server_.tunnel_door().address().port(),
                                     certificates_.authority(), certificates_.authority_facts().pin,
                                     keys_.keys()->first().secret, ::isatty(STDOUT_FILENO) == 1});
    announce(text);
  }
  manager_.ready("serving on " + listening);
}

control_socket::request_table server_process::orders() {
  return {{"status", {[this] { return report_status(); }}},
          {"reload", {[this] { return again_.answer(); }, reload_limit}},
          {"upgrade", {[this] { return hand_over(); }, upgrade_limit}}};
}

asio::awaitable<std::string> server_process::report_status() const {
  status_facts facts;
  facts.listen = net::to_string(server_.tunnel_door());
  facts.workers = config_.workers;
  facts.uptime = std::chrono::steady_clock::now() - started_;
  facts.ports = server_.held_ports();
  facts.authority_until = certificates_.authority_facts().not_after;
  facts.server_until = certificates_.server_facts().not_after;
  facts.expiry = certificates_.expiry(now_by_the_clock());
  co_return status_json(facts);
}

asio::awaitable<std::string> server_process::hand_over() {
  const auto outcome = co_await upgrade_.perform();
  if (outcome.trouble.empty()) stops_.cancel();
  co_return upgrade_json(outcome);
}

/// SIGUSR2 is `gotunnel server upgrade`.
asio::awaitable<void> server_process::upgrade_on_signals() {
  for (;;) {
    auto [ec, number] = co_await upgrades_.async_wait(net::token);
    if (ec) co_return;
    [[maybe_unused]] const std::string outcome = co_await hand_over();
  }
}

asio::awaitable<void> server_process::serve_until_stopped() {
  const int number = co_await stop_signal(stops_);
  const bool handed_over = number == 0;
  if (!handed_over) manager_.stopping("stopping: running connections may finish");
  log::info("app", "{}: closing the doors; running connections may finish within {} s",
            handed_over ? "another process serves" : ::strsignal(number),
            std::chrono::duration_cast<std::chrono::seconds>(config_.grace).count());
  net::task_group impatience(pool_.front().where(), "app");
  impatience.spawn("second signal", exit_on_signal(stops_));
  co_await server_.stop(config_.grace);
  impatience.cancel();
  co_await impatience.join();
  tasks_.cancel();
  pool_.release();
}

} // namespace

int server_command(const arguments& given, typed_secrets& typed) {
  const arguments rest(given.begin() + (given.empty() ? 0 : 1), given.end());
  if (!given.empty() && given.front() == "status") return status_command(rest);
  if (!given.empty() && given.front() == "reload") return reload_command(rest);
  if (!given.empty() && given.front() == "upgrade") return upgrade_command(rest);
  const auto options = server_options().parse(given);
  if (options.help_wanted()) {
    print(server_help());
    return 0;
  }
  server_config config = read_server_config(options);
  inheritance inherited;
  starter next = starter::begin(
      {with_command(given), [&config] { give_root_up(config); }, config.sandbox != sandbox_mode::off}, typed);
  secret_source secrets = read_secrets(options, typed, config.warnings);
  typed = {};
  start_log(config.logging, config.warnings);
  memory_budget::of_process().set_limit(config.memory_limit);
  descriptor_plan descriptors = plan_descriptors(net::raise_descriptor_limit(), config);
  if (!descriptors.trouble.empty()) log::warn("app", "{}", descriptors.trouble);
  return server_process(options, std::move(config), std::move(inherited), std::move(next), std::move(secrets),
                        std::move(descriptors))
      .run();
}

} // namespace gotunnel::app
