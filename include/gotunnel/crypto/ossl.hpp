// What the crypto room needs of OpenSSL's C interface: owning handles, the error queue as text, PEM in and
// out.
//
// Private to crypto/: no other room includes this header, nor any of OpenSSL's. Only functions that
// OpenSSL 3.0 to 4 all have and do not call deprecated; functions rather than macros, because the macros cast
// in the old style.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/secret.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::crypto::ossl {

template <auto Free>
struct freed_by {
  template <class Handle>
  void operator()(Handle* handle) const noexcept {
    Free(handle);
  }
};
template <class Handle, auto Free>
using owner = std::unique_ptr<Handle, freed_by<Free>>;

using bio_ptr = owner<BIO, BIO_free_all>;
using bignum_ptr = owner<BIGNUM, BN_free>;
using integer_ptr = owner<ASN1_INTEGER, ASN1_INTEGER_free>;
using key_ptr = owner<EVP_PKEY, EVP_PKEY_free>;
using mac_ptr = owner<EVP_MAC, EVP_MAC_free>;
using mac_context_ptr = owner<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using name_ptr = owner<X509_NAME, X509_NAME_free>;
using extension_ptr = owner<X509_EXTENSION, X509_EXTENSION_free>;
using time_ptr = owner<ASN1_TIME, ASN1_TIME_free>;
using general_names_ptr = owner<GENERAL_NAMES, GENERAL_NAMES_free>;
using x509_ptr = owner<X509, X509_free>;
using ssl_ptr = owner<SSL, SSL_free>;
using ssl_context_ptr = owner<SSL_CTX, SSL_CTX_free>;

/// PEM texts above this are refused unread. A chain of certificates is a few KiB.
inline constexpr std::size_t pem_limit = 64 * 1024;

/// Bytes as the library's functions take them.
inline const unsigned char* octets(bytes_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
inline unsigned char* octets(bytes_span bytes) noexcept {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

/// Forgets what the queue of this thread holds. Before every SSL_* call: SSL_get_error() looks into the
/// queue, and an old entry would turn "needs more input" into a failure.
void clear_errors() noexcept;

/// What the error queue of this thread held, oldest first.
struct error_report {
  std::string text;             ///< "reason; reason", for people
  std::vector<int> ssl_reasons; ///< SSL_R_* of the entries that libssl made
};
[[nodiscard]] error_report take_errors();

/// Throws std::runtime_error with `what` and the error queue: for calls that fail only when the library
/// cannot work at all.
[[noreturn]] void fail(const char* what);

/// A memory BIO that reads `text` in place; the text must outlive it. Null when it is too large or memory is
/// short.
[[nodiscard]] bio_ptr reader(std::string_view text);

/// All certificates of a PEM text, in order. Empty when there is none, one is corrupt, or the text is above
/// `pem_limit`. Blocks of other kinds between them are skipped.
[[nodiscard]] std::vector<x509_ptr> parse_certificates(std::string_view pem);
/// The first certificate of a PEM text, or null.
[[nodiscard]] x509_ptr parse_certificate(std::string_view pem);
/// The first private key (PKCS#8 or SEC1) of a PEM text, or null; also null when it is encrypted: nobody is
/// asked.
[[nodiscard]] key_ptr parse_key(const secret_text& pem);

/// SHA-256 over the SubjectPublicKeyInfo. False when the certificate's key cannot be encoded.
[[nodiscard]] bool hash_public_key(const X509* certificate, std::array<std::byte, 32>& digest);

} // namespace gotunnel::crypto::ossl
