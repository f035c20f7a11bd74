// What a running server reads again without dropping anyone: its certificates and its secrets.
//
//   reloader again(certificates, keys, seed_peers, {use_context, use_keys}, manager);
//   tasks.spawn("certificates", again.watch(config.cert_check));      // by the clock: certificates only
//   tasks.spawn("hangups", again.on_signals(hangups));                // all of it, for each SIGHUP
//   {"reload", {[&again] { return again.answer(); }, reload_limit}}   // all of it, for who asks
//
// All or nothing: when something cannot be read or does not fit together, everything stays as it was, and the
// log says why. Certificates are renewed when they are due. Handshakes that begin later use what is new;
// those under way, and sessions, go on with what they began with. It blocks: some milliseconds for the files,
// 40 for a secret that is new. On the worker of its tasks, with whatever it is given outliving it.
#pragma once

#include "gotunnel/app/keyring.hpp"
#include "gotunnel/app/reload_report.hpp"
#include "gotunnel/app/service_manager.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/crypto/tls_context.hpp"
#include "gotunnel/link/cert_store.hpp"
#include "gotunnel/net/task.hpp"

#include <boost/asio/signal_set.hpp>

#include <functional>
#include <string>

namespace gotunnel::app {

namespace asio = boost::asio;

/// For `reload` on the control socket: another process may have the lock of the certificates for a while.
inline constexpr duration reload_limit = 15s;

/// Throws usage_error when OpenSSL does not take these certificates.
[[nodiscard]] crypto::tls_context make_server_context(const link::cert_store& certificates, bool seed_peers);
/// Logs what there is to say about them.
void warn_of(const link::cert_store& certificates);

class reloader {
public:
  /// Who gets what is new.
  struct users {
    std::function<void(const crypto::tls_context&)> context;
    std::function<void(const link::shared_keys&)> keys;
  };

  reloader(link::cert_store& certificates, keyring& keys, bool seed_peers, users who,
           service_manager& manager)
      : certificates_(certificates), keys_(keys), seed_peers_(seed_peers), users_(std::move(who)),
        manager_(manager) {}

  /// Throws usage_error or cert_error, with everything as it was.
  reload_report reload();

  [[nodiscard]] asio::awaitable<void> watch(duration every);
  [[nodiscard]] asio::awaitable<void> on_signals(asio::signal_set& hangups);
  /// The report as JSON, or {"error":"..."}.
  [[nodiscard]] asio::awaitable<std::string> answer();

private:
  bool read_certificates();
  std::string answer_now();

  link::cert_store& certificates_;
  keyring& keys_;
  bool seed_peers_;
  users users_;
  service_manager& manager_;
};

} // namespace gotunnel::app
