#include "gotunnel/crypto/tls_keylog.hpp"

namespace gotunnel::crypto {
namespace {

/// Where SSL keeps the pointer to its engine's secrets.
int secrets_index() {
  static const int index = [] {
    const int made = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nullptr, nullptr, nullptr, nullptr);
    if (made < 0) ossl::fail("TLS connection index");
    return made;
  }();
  return index;
}

void on_line(const SSL* ssl, const char* line) {
  auto* const to = static_cast<traffic_secrets*>(SSL_get_ex_data(ssl, secrets_index()));
  if (to != nullptr) to->take(line);
}

} // namespace

void traffic_secrets::take(std::string_view line) noexcept {
  const auto label = line.substr(0, line.find(' '));
  const auto hex = line.substr(line.rfind(' ') + 1);
  const bool from_client = label == "CLIENT_TRAFFIC_SECRET_0";
  if (!from_client && label != "SERVER_TRAFFIC_SECRET_0") return;
  auto& secret = from_client ? client_ : server_;
  const std::size_t size = hex.size() / 2;
  if (size <= secret.span().size() && from_hex(hex, secret.span().first(size))) size_ = size;
}

void offer_secrets(SSL_CTX* context) { SSL_CTX_set_keylog_callback(context, on_line); }

void collect_secrets(SSL* ssl, traffic_secrets& to) {
  if (SSL_set_ex_data(ssl, secrets_index(), &to) != 1) ossl::fail("TLS connection data");
}

} // namespace gotunnel::crypto
