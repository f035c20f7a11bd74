#include "gotunnel/app/reloader.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/base/printable.hpp"
#include "gotunnel/net/deadline.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <utility>

namespace gotunnel::app {
namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

} // namespace

crypto::tls_context make_server_context(const link::cert_store& certificates, bool seed_peers) {
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

/// Renews the leaf when it is due, and reads the files again when somebody else changed them.
bool reloader::read_certificates() {
  // What OpenSSL refuses must not be taken for what is in use.
  link::cert_store next = certificates_;
  bool changed = next.reload();
  if (next.due(now()) && next.renewable()) {
    next.renew(now());
    changed = true;
  }
  if (!changed) return false;
  const auto context = make_server_context(next, seed_peers_);
  certificates_ = std::move(next);
  users_.context(context);
  log::info("app", "the server certificate is now valid until {}",
            gotunnel::describe(certificates_.server_facts().not_after));
  warn_of(certificates_);
  return true;
}

reload_report reloader::reload() {
  reload_report report;
  const link::shared_keys next = keys_.look(); // the last step may fail, so this one takes nothing yet
  report.certificate_changed = read_certificates();
  report.valid_until = gotunnel::describe(certificates_.server_facts().not_after);
  report.secrets = next->all.size();
  report.secrets_changed = next != keys_.keys();
  report.secrets_from_file = !keys_.file().empty();
  if (report.secrets_changed) {
    users_.keys(next);
    keys_.take(next);
  }
  return report;
}

asio::awaitable<void> reloader::watch(duration every) {
  std::string last_trouble;
  for (;;) {
    co_await net::sleep_for(every);
    try {
      if (read_certificates()) last_trouble.clear();
    } catch (const std::runtime_error& e) {
      if (std::exchange(last_trouble, e.what()) != e.what()) log::error("app", "{}", e.what());
    }
  }
}

asio::awaitable<std::string> reloader::answer() {
  manager_.reloading();
  std::string said = answer_now();
  manager_.reloaded();
  co_return said;
}

std::string reloader::answer_now() {
  try {
    const reload_report report = reload();
    log::info("app", "{}", describe(report));
    return to_json(report);
  } catch (const std::runtime_error& e) {
    const std::string why = fmt::format("{}; everything stays as it was", e.what());
    log::error("app", "reload: {}", why);
    return boost::json::serialize(boost::json::object{{"error", printable(why)}});
  }
}

asio::awaitable<void> reloader::on_signals(asio::signal_set& hangups) {
  for (;;) {
    auto [ec, number] = co_await hangups.async_wait(net::token);
    if (ec) co_return;
    [[maybe_unused]] const std::string said = co_await answer(); // the log has it
  }
}

} // namespace gotunnel::app
