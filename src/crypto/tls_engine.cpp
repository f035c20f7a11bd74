#include "gotunnel/crypto/tls_engine.hpp"

#include "gotunnel/crypto/idle_records.hpp"
#include "gotunnel/crypto/ossl.hpp"
#include "gotunnel/crypto/record_bio.hpp"
#include "gotunnel/crypto/record_layer.hpp"
#include "gotunnel/crypto/tls_keylog.hpp"

#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cassert>

namespace gotunnel::crypto {
namespace {

using namespace ossl;

/// What a handshake may take in. A server's certificate chain (32 KiB at most) is the largest honest part.
constexpr std::size_t handshake_limit = 64 * 1024;

errc meaning_of_verify_result(long result) noexcept {
  switch (result) {
  case X509_V_ERR_HOSTNAME_MISMATCH: return errc::wrong_server_name;
  case X509_V_ERR_CERT_HAS_EXPIRED:
  case X509_V_ERR_CERT_NOT_YET_VALID: return errc::certificate_expired;
  default: return errc::untrusted_server;
  }
}

} // namespace

struct tls_engine::state {
  state(const tls_context& shared, key_limits of_keys) : context(shared), limits(of_keys) {}

  tls_context context; ///< keeps what the callbacks of the SSL_CTX refer to
  record_port port;
  key_limits limits;
  std::uint64_t sealed = 0; ///< records since the last change of our key
  std::uint64_t opened = 0; ///< records; counted only where keys cannot be changed
  idle_records idle;
  bool keys_change = true; ///< TLS 1.3
  bool established = false;
  bool peer_closed = false;
  bool shut = false;
  error_code broken; ///< the failure that every further call repeats
  std::string failure;
  traffic_secrets secrets; ///< of the handshake; wiped when it is over
  /// The native protocol's records are ours after the handshake; OpenSSL protects those of seed peers.
  std::optional<record_layer> records;
  ssl_ptr ssl; ///< last, to go first: its BIO refers to the port

  error_code give_up(error_code code, std::string text) {
    broken = code;
    failure = std::move(text);
    port.input = {};
    return code;
  }

  /// After an operation of OpenSSL failed for good.
  error_code give_up() {
    error_report report = take_errors();
    if (port.overflow != nullptr) return give_up(errc::tls_failure, port.overflow);
    const errc code = meaning_of(report);
    if (code == errc::untrusted_server || code == errc::wrong_server_name ||
        code == errc::certificate_expired) {
      report.text = X509_verify_cert_error_string(SSL_get_verify_result(ssl.get()));
    }
    return give_up(code, report.text.empty() ? "the connection ended within TLS" : std::move(report.text));
  }

  [[nodiscard]] errc meaning_of(const error_report& report) const {
    for (const int reason : report.ssl_reasons) {
      switch (reason) {
      case SSL_R_CERTIFICATE_VERIFY_FAILED: return meaning_of_verify_result(SSL_get_verify_result(ssl.get()));
      case SSL_R_HTTP_REQUEST:
      case SSL_R_HTTPS_PROXY_REQUEST:
      case SSL_R_WRONG_VERSION_NUMBER:
      case SSL_R_NO_APPLICATION_PROTOCOL:
      case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: return errc::not_gotunnel;
      case SSL_R_CALLBACK_FAILED:
        return errc::seed_peer_refused; // tls_context.cpp: require_alpn(), our only one
      default: break;
      }
    }
    return errc::tls_failure;
  }

  [[nodiscard]] std::string_view alpn() const noexcept {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &name, &size);
    return as_text(std::as_bytes(std::span{name, size}));
  }

  /// OpenSSL reads no further than the handshake's last record, and neither side has sealed anything since.
  void take_over_records() {
    const bytes_view server = secrets.server();
    const bytes_view client = secrets.client();
    const bool serving = context.is_server();
    records.emplace(record_layer::keys{.suite = SSL_get_current_cipher(ssl.get()),
                                       .ours = serving ? server : client,
                                       .theirs = serving ? client : server},
                    port.output);
    records->feed(std::exchange(port.input, {}));
    secrets = {};
  }

  /// OpenSSL tells of each handshake message and alert. It cannot be stopped here; its next read fails.
  static void on_message(int ours, int /*version*/, int type, const void* /*message*/, std::size_t /*size*/,
                         SSL* /*ssl*/, void* user) {
    auto& self = *static_cast<state*>(user);
    const bool idle = type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT;
    if (ours == 0 && idle && self.established && !self.idle.spend())
      self.port.overflow = "too many records without data";
  }

  [[nodiscard]] bool keys_worn() const noexcept {
    return !keys_change && std::max(sealed, opened) >= limits.unchangeable;
  }

  /// What OpenSSL lets pass and we do not. On failure the peer gets no alert: it takes the handshake for
  /// complete.
  error_code check_protocol() {
    if (alpn().empty()) {
      if (context.seed_peers()) return {};
      return give_up(errc::seed_peer_refused, "no application protocol was chosen");
    }
    if (alpn() == native_alpn && SSL_version(ssl.get()) == TLS1_3_VERSION) return {};
    return give_up(errc::not_gotunnel, "gotunnel/1 needs TLS 1.3");
  }
};

tls_engine::tls_engine(const tls_context& context, key_limits keys)
    : state_(std::make_unique<state>(context, keys)) {
  clear_errors();
  state_->port.input_budget = handshake_limit;
  state_->ssl.reset(SSL_new(context.native()));
  SSL* const ssl = state_->ssl.get();
  if (ssl == nullptr) fail("TLS connection");
  BIO* const bio = make_record_bio(state_->port).release();
  SSL_set_bio(ssl, bio, bio); // takes one reference for both
  collect_secrets(ssl, state_->secrets);
  SSL_set_msg_callback(ssl, state::on_message);
  SSL_ctrl(ssl, SSL_CTRL_SET_MSG_CALLBACK_ARG, 0, state_.get());
  if (context.is_server()) {
    SSL_set_accept_state(ssl);
    return;
  }
  SSL_set_connect_state(ssl);
  std::string name(server_name);
  if (SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) != 1) fail("SNI");
}

tls_engine::tls_engine(tls_engine&&) noexcept = default;
tls_engine::~tls_engine() = default;

void tls_engine::feed(bytes_view cipher) noexcept {
  assert(state_->port.input.empty());
  // Behind close_notify or a failure there is nothing that we would read.
  if (state_->broken || state_->peer_closed) return;
  if (state_->records)
    state_->records->feed(cipher);
  else
    state_->port.input = cipher;
}

std::size_t tls_engine::pending_input() const noexcept {
  if (state_->records) return state_->records->pending_input();
  return state_->port.input.size() + static_cast<std::size_t>(SSL_pending(state_->ssl.get()));
}

result<tls_engine::progress> tls_engine::handshake() {
  if (state_->broken) return state_->broken;
  if (state_->established) return progress::done;
  clear_errors();
  SSL* const ssl = state_->ssl.get();
  const int done = SSL_do_handshake(ssl);
  if (done != 1) {
    if (SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ) return progress::wants_input;
    return state_->give_up();
  }
  if (const error_code refused = state_->check_protocol()) return refused;
  state_->established = true;
  state_->keys_change = SSL_version(ssl) == TLS1_3_VERSION;
  state_->port.input_budget = SIZE_MAX;
  if (!state_->alpn().empty()) state_->take_over_records();
  return progress::done;
}

result<std::size_t> tls_engine::read(bytes_span to) {
  assert(state_->established || state_->broken);
  if (state_->broken) return state_->broken;
  if (state_->records) {
    const auto got = state_->records->read(to);
    state_->peer_closed = state_->records->closed();
    if (const error_code failed = state_->records->broken())
      state_->give_up(failed, state_->records->failure());
    return got;
  }
  SSL* const ssl = state_->ssl.get();
  std::size_t got = 0;
  while (got < to.size()) {
    if (pending_input() == 0) break; // spares OpenSSL a buffer for nothing
    if (state_->keys_worn()) {
      const error_code worn = state_->give_up(errc::keys_worn, "the peer's key is worn");
      if (got == 0) return worn;
      break;
    }
    clear_errors();
    std::size_t n = 0;
    const int done = SSL_read_ex(ssl, to.data() + got, to.size() - got, &n);
    if (done == 1) {
      got += n;
      ++state_->opened;
      state_->idle.earn(n);
      continue;
    }
    const int why = SSL_get_error(ssl, done);
    if (why == SSL_ERROR_WANT_READ) break;
    if (why != SSL_ERROR_ZERO_RETURN) {
      const error_code failed = state_->give_up();
      if (got == 0) return failed;
      break;
    }
    state_->peer_closed = true;
    state_->port.input = {};
    break;
  }
  return got;
}

bool tls_engine::closed() const noexcept { return state_->peer_closed; }

result<> tls_engine::write(bytes_view plain, bytes_span out, std::size_t& filled) {
  assert(state_->established || state_->broken);
  if (state_->broken) return state_->broken;
  if (state_->shut) return errc::closed;
  if (plain.empty()) return {};
  if (filled > out.size() || out.size() - filled < pending_output() + sealed_size(plain.size())) {
    return errc::limit_exceeded;
  }
  filled += take_output(out.subspan(filled));
  if (state_->keys_worn()) return state_->give_up(errc::keys_worn, "our key is worn");
  if (state_->sealed >= state_->limits.change_after) rekey();
  state_->sealed += (plain.size() + record_plain - 1) / record_plain;
  if (state_->records) {
    filled += state_->records->write(plain, out.subspan(filled));
    return {};
  }

  record_port& port = state_->port;
  port.target = out.subspan(filled);
  port.used = 0;
  clear_errors();
  std::size_t n = 0;
  const int done = SSL_write_ex(state_->ssl.get(), plain.data(), plain.size(), &n);
  filled += port.used;
  port.target = {};
  port.used = 0;
  if (done != 1) return state_->give_up();
  assert(n == plain.size() && port.output.empty());
  return {};
}

void tls_engine::rekey() noexcept {
  if (!state_->established || state_->broken || !state_->keys_change) return;
  state_->sealed = 0;
  if (state_->records) return state_->records->rekey();
  clear_errors();
  SSL_key_update(state_->ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
  clear_errors();
}

double tls_engine::key_life() const noexcept {
  if (state_->keys_change) return 1;
  const auto used = static_cast<double>(std::max(state_->sealed, state_->opened));
  return std::max(0.0, 1 - used / static_cast<double>(state_->limits.unchangeable));
}

void tls_engine::shut() noexcept {
  if (!state_->established || state_->broken || state_->shut) return;
  state_->shut = true;
  if (state_->records) return state_->records->shut();
  clear_errors();
  SSL_shutdown(state_->ssl.get()); // 0: sent, the peer's is outstanding; there is nothing else to learn
  clear_errors();
}

std::size_t tls_engine::take_output(bytes_span to) noexcept { return state_->port.output.take(to); }

std::size_t tls_engine::pending_output() const noexcept { return state_->port.output.size(); }

std::string_view tls_engine::alpn() const noexcept { return state_->alpn(); }

result<std::array<std::byte, 32>> tls_engine::exporter(std::string_view label) const {
  std::array<std::byte, 32> material{};
  clear_errors();
  const int done =
      SSL_export_keying_material(state_->ssl.get(), reinterpret_cast<unsigned char*>(material.data()),
                                 material.size(), label.data(), label.size(), nullptr, 0, 0);
  clear_errors();
  if (done != 1) return errc::tls_failure;
  return material;
}

const std::string& tls_engine::failure() const noexcept { return state_->failure; }

} // namespace gotunnel::crypto
