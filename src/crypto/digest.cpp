#include "gotunnel/crypto/digest.hpp"

#include "gotunnel/crypto/ossl.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>

namespace gotunnel::crypto {
namespace {

using ossl::octets;

} // namespace

sha256_digest sha256(bytes_view bytes) {
  sha256_digest digest;
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), octets(bytes_span{digest}), &size, EVP_sha256(), nullptr) != 1) {
    ossl::fail("SHA-256");
  }
  return digest;
}

sha256_digest hmac_sha256(bytes_view key, std::initializer_list<bytes_view> parts) {
  const ossl::mac_ptr algorithm{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  const ossl::mac_context_ptr mac{algorithm ? EVP_MAC_CTX_new(algorithm.get()) : nullptr};
  char digest_name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                                   OSSL_PARAM_construct_end()};
  // A null key would mean "keep the key of before"; an empty key is a key.
  const unsigned char none = 0;
  const unsigned char* key_octets = key.empty() ? &none : octets(key);
  bool done = mac && EVP_MAC_init(mac.get(), key_octets, key.size(), parameters) == 1;
  for (const bytes_view part : parts) {
    done = done && (part.empty() || EVP_MAC_update(mac.get(), octets(part), part.size()) == 1);
  }
  sha256_digest digest;
  std::size_t size = 0;
  done = done && EVP_MAC_final(mac.get(), octets(bytes_span{digest}), &size, digest.size()) == 1;
  if (!done) ossl::fail("HMAC");
  return digest;
}

void random_bytes(bytes_span out) {
  constexpr std::size_t most = 1 << 30; // RAND_bytes() counts in int
  while (!out.empty()) {
    const bytes_span now = out.first(std::min(out.size(), most));
    if (RAND_bytes(octets(now), static_cast<int>(now.size())) != 1) ossl::fail("random generator");
    out = out.subspan(now.size());
  }
}

secret_key<32> stretch(const secret_text& secret, std::string_view salt) {
  constexpr std::uint64_t cost = 1 << 14, block = 8, parallel = 1;
  constexpr std::uint64_t memory_limit = 32 << 20; // bytes; 128 * block * cost = 16 MiB, and a little
  secret_key<32> key;
  const std::string_view text = secret.reveal();
  if (EVP_PBE_scrypt(text.data(), text.size(), octets(as_bytes(salt)), salt.size(), cost, block, parallel,
                     memory_limit, octets(key.span()), key.span().size()) != 1) {
    ossl::fail("scrypt");
  }
  return key;
}

} // namespace gotunnel::crypto
