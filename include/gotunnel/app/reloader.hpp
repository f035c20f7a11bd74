// What a running server reads again without dropping anyone: its certificates and its secrets.
//
//   reloader again(executor, files, certificates, keys, seed_peers, {use_context, use_keys}, manager);
//   tasks.spawn("certificates", again.watch(config.cert_check));      // by the clock: certificates only
//   tasks.spawn("hangups", again.on_signals(hangups));                // all of it, for each SIGHUP
//   {"reload", {[&again] { return again.answer(); }, reload_limit}}   // all of it, for who asks
//
// All or nothing: when something cannot be read or does not fit together, everything stays as it was, and the
// log says why. Certificates are renewed when they are due. Handshakes that begin later use what is new;
// those under way, and sessions, go on with what they began with. A helper reads (net/file_worker): a disk
// that hangs or a lock that somebody holds means that everything stays as it was, and is said once. One
// reading at a time. What ends soon, or has ended, is said once a day. On the worker of the executor, with
// whatever it is given outliving it.
#pragma once

#include "gotunnel/app/keyring.hpp"
#include "gotunnel/app/reload_report.hpp"
#include "gotunnel/app/service_manager.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/crypto/tls_context.hpp"
#include "gotunnel/link/cert_store.hpp"
#include "gotunnel/net/file_worker.hpp"
#include "gotunnel/net/signal.hpp"

#include <boost/asio/signal_set.hpp>

#include <functional>
#include <string>
#include <vector>

namespace gotunnel::app {

namespace asio = boost::asio;

/// For `reload` on the control socket: another process may have the lock of the certificates for a while.
inline constexpr duration reload_limit = 15s;

[[nodiscard]] wall_time now_by_the_clock();
/// How this program makes certificates.
[[nodiscard]] link::cert_policy certificate_policy();

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

  reloader(const net::executor& where, net::file_worker& files, link::cert_store& certificates, keyring& keys,
           bool seed_peers, users who, service_manager& manager,
           std::function<wall_time()> clock = now_by_the_clock);

  struct outcome {
    reload_report report;
    std::string trouble; ///< a sentence, and everything is as it was; empty: done
  };
  [[nodiscard]] asio::awaitable<outcome> reload();

  [[nodiscard]] asio::awaitable<void> watch(duration every);
  [[nodiscard]] asio::awaitable<void> on_signals(asio::signal_set& hangups);
  /// The report as JSON, or {"error":"..."}.
  [[nodiscard]] asio::awaitable<std::string> answer();

private:
  struct turn;
  struct found;

  [[nodiscard]] asio::awaitable<turn> my_turn();
  [[nodiscard]] asio::awaitable<found> read(std::function<found()> work);
  [[nodiscard]] asio::awaitable<found> check_certificates();
  void use_certificates(found& next);
  void say_expiry();

  net::file_worker& files_;
  link::cert_store& certificates_;
  keyring& keys_;
  bool seed_peers_;
  users users_;
  service_manager& manager_;
  std::function<wall_time()> clock_;
  std::vector<std::string> expiry_said_;
  net::signal freed_;
  bool reading_ = false;
};

} // namespace gotunnel::app
