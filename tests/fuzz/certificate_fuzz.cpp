// PEM texts from files that anybody may have written: read, matched against a key, used as a trust.
#include "gotunnel/crypto/pki.hpp"
#include "gotunnel/crypto/tls_context.hpp"

#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::crypto;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto facts = read_certificate(text);
  if (facts) {
    std::string pin = facts->pin;
    if (!normalize_pin(pin) || pin != facts->pin) std::abort();
    if (!signed_by(text, text)) std::abort(); // it was readable a moment ago
  }
  static_cast<void>(key_matches(text, secret_text(text)));
  static_cast<void>(tls_context::client({text, "", true}));
  static_cast<void>(tls_context::server({{text, secret_text(text)}, text, true}));
  std::string pin = text;
  static_cast<void>(normalize_pin(pin));
  return 0;
}
