#include "gotunnel/crypto/tls_engine.hpp"

#include "gotunnel/crypto/ossl.hpp"

#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cassert>

namespace gotunnel::crypto {
namespace {

using namespace ossl;

/// Output that the driver has not collected: two or three flights of a handshake are 4 KiB, a key update 27
/// bytes.
constexpr std::size_t output_limit = 64 * 1024;
/// What a handshake may take in. A server's certificate chain (32 KiB at most) is the largest honest part.
constexpr std::size_t handshake_limit = 64 * 1024;
/// Sealed bytes after which we change our key: 2^22 full records, where RFC 8446 5.5 allows 2^24.5 for
/// AES-GCM.
constexpr std::uint64_t rekey_after = std::uint64_t{64} << 30;

/// The far side of OpenSSL's BIO: where cipher text comes from and goes to.
struct record_port {
  bytes_view input;               ///< what is left of the fed view
  std::size_t input_budget = 0;   ///< bytes that OpenSSL may still take
  bytes_span target;              ///< where write() wants its records; empty at all other times
  std::size_t used = 0;           ///< bytes of `target`
  std::vector<std::byte> output;  ///< everything sealed outside of write()
  std::size_t collected = 0;      ///< bytes of `output` that the driver has
  const char* overflow = nullptr; ///< which bound was hit

  std::size_t take(bytes_span to) noexcept {
    const bytes_view part = input.first(std::min(to.size(), input.size()));
    if (part.size() > input_budget) {
      overflow = "the handshake is too long";
      return 0;
    }
    if (!part.empty()) std::memcpy(to.data(), part.data(), part.size());
    input = input.subspan(part.size());
    input_budget -= part.size();
    return part.size();
  }

  bool put(bytes_view bytes) {
    // Once something went aside, everything behind it must, or the records would leave in the wrong order.
    if (output.empty() && bytes.size() <= target.size() - used) {
      std::memcpy(target.data() + used, bytes.data(), bytes.size());
      used += bytes.size();
      return true;
    }
    if (bytes.size() > output_limit - std::min(output_limit, output.size() - collected)) {
      overflow = "the peer demands answers and does not take them";
      return false;
    }
    output.insert(output.end(), bytes.begin(), bytes.end());
    return true;
  }
};

record_port& port_of(BIO* bio) noexcept { return *static_cast<record_port*>(BIO_get_data(bio)); }

int port_read(BIO* bio, char* data, std::size_t size, std::size_t* done) {
  BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  record_port& port = port_of(bio);
  *done = port.take(std::as_writable_bytes(std::span{data, size}));
  if (*done == 0 && port.overflow == nullptr) BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
  return *done == 0 ? 0 : 1;
}

int port_write(BIO* bio, const char* data, std::size_t size, std::size_t* done) {
  BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  const bool taken = port_of(bio).put(std::as_bytes(std::span{data, size}));
  *done = taken ? size : 0;
  return taken ? 1 : 0;
}

long port_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0; // nothing is held back
}

bio_ptr make_bio(record_port& port) {
  static const owner<BIO_METHOD, BIO_meth_free> method = [] {
    owner<BIO_METHOD, BIO_meth_free> made{
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gotunnel records")};
    if (!made || BIO_meth_set_read_ex(made.get(), port_read) != 1 ||
        BIO_meth_set_write_ex(made.get(), port_write) != 1 ||
        BIO_meth_set_ctrl(made.get(), port_control) != 1) {
      fail("BIO method");
    }
    return made;
  }();
  bio_ptr bio{BIO_new(method.get())};
  if (!bio) fail("BIO");
  BIO_set_data(bio.get(), &port);
  BIO_set_init(bio.get(), 1);
  return bio;
}

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
  explicit state(const tls_context& shared) : context(shared) {}

  tls_context context; ///< keeps what the callbacks of the SSL_CTX refer to
  record_port port;
  std::uint64_t sealed = 0; ///< bytes since the last change of key
  bool established = false;
  bool peer_closed = false;
  bool shut = false;
  error_code broken; ///< the failure that every further call repeats
  std::string failure;
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

tls_engine::tls_engine(const tls_context& context) : state_(std::make_unique<state>(context)) {
  clear_errors();
  state_->port.input_budget = handshake_limit;
  state_->ssl.reset(SSL_new(context.native()));
  SSL* const ssl = state_->ssl.get();
  if (ssl == nullptr) fail("TLS connection");
  BIO* const bio = make_bio(state_->port).release();
  SSL_set_bio(ssl, bio, bio); // takes one reference for both
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
  if (!state_->broken && !state_->peer_closed) state_->port.input = cipher;
}

std::size_t tls_engine::pending_input() const noexcept {
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
  state_->port.input_budget = SIZE_MAX;
  return progress::done;
}

result<std::size_t> tls_engine::read(bytes_span to) {
  assert(state_->established || state_->broken);
  if (state_->broken) return state_->broken;
  SSL* const ssl = state_->ssl.get();
  std::size_t got = 0;
  while (got < to.size()) {
    if (pending_input() == 0) break; // spares OpenSSL a buffer for nothing
    clear_errors();
    std::size_t n = 0;
    const int done = SSL_read_ex(ssl, to.data() + got, to.size() - got, &n);
    if (done == 1) {
      got += n;
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
  if (state_->sealed >= rekey_after) rekey();
  state_->sealed += plain.size();

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
  if (!state_->established || state_->broken || SSL_version(state_->ssl.get()) != TLS1_3_VERSION) return;
  clear_errors();
  SSL_key_update(state_->ssl.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
  clear_errors();
  state_->sealed = 0;
}

void tls_engine::shut() noexcept {
  if (!state_->established || state_->broken || state_->shut) return;
  state_->shut = true;
  clear_errors();
  SSL_shutdown(state_->ssl.get()); // 0: sent, the peer's is outstanding; there is nothing else to learn
  clear_errors();
}

std::size_t tls_engine::take_output(bytes_span to) noexcept {
  record_port& port = state_->port;
  const std::size_t n = std::min(to.size(), pending_output());
  if (n == 0) return 0;
  std::memcpy(to.data(), port.output.data() + port.collected, n);
  port.collected += n;
  if (port.collected == port.output.size()) {
    port.output = {}; // gives the memory of the handshake back
    port.collected = 0;
  }
  return n;
}

std::size_t tls_engine::pending_output() const noexcept {
  return state_->port.output.size() - state_->port.collected;
}

std::string_view tls_engine::alpn() const noexcept { return state_->alpn(); }

std::string tls_engine::description() const {
  const SSL* const ssl = state_->ssl.get();
  const char* suite = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl));
  return std::string(SSL_get_version(ssl)) + ' ' + suite;
}

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
