#include "gotunnel/crypto/record_cipher.hpp"

#include "gotunnel/crypto/ossl.hpp"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/objects.h>
#include <openssl/params.h>

#include <cassert>

namespace gotunnel::crypto {
namespace {

using namespace ossl;

using cipher_ptr = owner<EVP_CIPHER, EVP_CIPHER_free>;
using kdf_ptr = owner<EVP_KDF, EVP_KDF_free>;
using kdf_context_ptr = owner<EVP_KDF_CTX, EVP_KDF_CTX_free>;

constexpr std::size_t longest_key = 32;

/// HKDF-Expand-Label with an empty context (RFC 8446 7.1).
void expand_label(const EVP_MD* hash, bytes_view secret, std::string_view label, bytes_span to) {
  const kdf_ptr algorithm{EVP_KDF_fetch(nullptr, "TLS13-KDF", nullptr)};
  const kdf_context_ptr kdf{algorithm ? EVP_KDF_CTX_new(algorithm.get()) : nullptr};
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::string prefix = "tls13 ";
  std::string name(label);
  std::string digest = EVP_MD_get0_name(hash);
  // OSSL_PARAM has no const; the library only reads these.
  auto* const key = const_cast<unsigned char*>(octets(secret));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key, secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, name.data(), name.size()),
      OSSL_PARAM_construct_end()};
  if (!kdf || EVP_KDF_derive(kdf.get(), octets(to), to.size(), parameters) != 1)
    fail("TLS 1.3 key derivation");
}

} // namespace

struct record_cipher::state {
  state(use as, const SSL_CIPHER* of, bytes_view from)
      : direction(as), suite(of), hash(SSL_CIPHER_get_handshake_digest(of)),
        algorithm(EVP_CIPHER_fetch(nullptr, OBJ_nid2sn(SSL_CIPHER_get_cipher_nid(of)), nullptr)),
        secret_size(from.size()) {
    if (hash == nullptr || !algorithm || from.size() > secret_limit) fail("TLS 1.3 record protection");
    std::memcpy(secret.span().data(), from.data(), from.size());
    derive();
  }

  /// The keys of the current secret (RFC 8446 7.3).
  void derive() {
    secret_key<longest_key> key;
    const auto key_size = static_cast<std::size_t>(EVP_CIPHER_get_key_length(algorithm.get()));
    expand_label(hash, current(), "key", key.span().first(key_size));
    expand_label(hash, current(), "iv", iv.span());
    cipher = aead::make(suite, key.view().first(key_size), direction);
    sequence = 0;
  }

  /// Each record's nonce is another (5.3).
  [[nodiscard]] aead::nonce next_nonce() noexcept {
    aead::nonce nonce;
    std::memcpy(nonce.data(), iv.view().data(), nonce.size());
    for (std::size_t i = 0; i < sizeof sequence; ++i)
      nonce[nonce.size() - 1 - i] ^= static_cast<std::byte>(sequence >> (8 * i));
    ++sequence;
    return nonce;
  }

  [[nodiscard]] bytes_view current() const noexcept { return secret.view().first(secret_size); }

  use direction;
  const SSL_CIPHER* suite;
  const EVP_MD* hash;
  cipher_ptr algorithm;
  std::unique_ptr<aead> cipher;
  secret_key<secret_limit> secret;
  std::size_t secret_size;
  secret_key<aead::nonce_size> iv;
  std::uint64_t sequence = 0;
};

record_cipher::record_cipher(use direction, const SSL_CIPHER* suite, bytes_view secret)
    : state_(std::make_unique<state>(direction, suite, secret)) {}
record_cipher::record_cipher(record_cipher&&) noexcept = default;
record_cipher::~record_cipher() = default;

std::size_t record_cipher::seal(record_type type, bytes_view plain, bytes_span out) {
  assert(plain.size() <= plain_limit && out.size() >= plain.size() + overhead);
  const bytes_span header = out.first(header_size);
  const bytes_span body = out.subspan(header_size, plain.size() + 1 + tag_size);
  // To the eye all records are application data of TLS 1.2 (5.2).
  header[0] = static_cast<std::byte>(record_type::application_data);
  header[1] = header[2] = std::byte{3};
  store_be16(header.subspan(3), static_cast<std::uint16_t>(body.size()));
  state_->cipher->seal(state_->next_nonce(), header, plain, static_cast<std::byte>(type), body);
  return header_size + body.size();
}

result<record_cipher::opened> record_cipher::open(bytes_view record, bytes_span to) {
  if (record.size() < overhead) return errc::tls_failure; // no room for a type: nobody sealed that
  std::size_t size = opened_size(record.size());
  assert(to.size() >= size);
  std::byte type{};
  if (!state_->cipher->open(state_->next_nonce(), record.first(header_size), record.subspan(header_size),
                            to.first(size), type))
    return errc::tls_failure;
  // The type is the last byte that is not padding (5.4).
  while (type == std::byte{0} && size > 0) type = to[--size];
  return opened{static_cast<record_type>(type), size};
}

void record_cipher::update() {
  secret_key<secret_limit> next;
  expand_label(state_->hash, state_->current(), "traffic upd", next.span().first(state_->secret_size));
  state_->secret = next;
  state_->derive();
}

} // namespace gotunnel::crypto
