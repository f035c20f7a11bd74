#include "gotunnel/crypto/ossl.hpp"

#include "gotunnel/crypto/digest.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <stdexcept>

namespace gotunnel::crypto::ossl {
namespace {

/// Without it OpenSSL would ask for the passphrase of an encrypted file on the terminal, and a service would
/// hang.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) { return -1; }

} // namespace

void clear_errors() noexcept { ERR_clear_error(); }

error_report take_errors() {
  error_report report;
  while (const unsigned long code = ERR_get_error()) {
    if (ERR_GET_LIB(code) == ERR_LIB_SSL) report.ssl_reasons.push_back(ERR_GET_REASON(code));
    if (!report.text.empty()) report.text += "; ";
    if (const char* reason = ERR_reason_error_string(code)) {
      report.text += reason;
    } else {
      std::array<char, 128> text{};
      ERR_error_string_n(code, text.data(), text.size());
      report.text += text.data();
    }
  }
  return report;
}

void fail(const char* what) { throw std::runtime_error(std::string(what) + ": " + take_errors().text); }

bio_ptr reader(std::string_view text) {
  if (text.size() > pem_limit) return nullptr;
  return bio_ptr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

std::vector<x509_ptr> parse_certificates(std::string_view pem) {
  std::vector<x509_ptr> found;
  clear_errors();
  const bio_ptr in = reader(pem);
  if (!in) return found;
  while (x509_ptr one{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)}) {
    found.push_back(std::move(one));
  }
  // The queue says how the loop ended: "no start line" is the end of the text, anything else a corrupt block.
  const unsigned long end = ERR_peek_last_error();
  if (ERR_GET_LIB(end) != ERR_LIB_PEM || ERR_GET_REASON(end) != PEM_R_NO_START_LINE) found.clear();
  clear_errors();
  return found;
}

x509_ptr parse_certificate(std::string_view pem) {
  clear_errors();
  const bio_ptr in = reader(pem);
  x509_ptr found{in ? PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr) : nullptr};
  clear_errors();
  return found;
}

key_ptr parse_key(const secret_text& pem) {
  clear_errors();
  const bio_ptr in = reader(pem.reveal());
  key_ptr found{in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr) : nullptr};
  clear_errors();
  return found;
}

bool hash_public_key(const X509* certificate, std::array<std::byte, 32>& digest) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return false;
  digest = sha256(std::as_bytes(std::span{der, static_cast<std::size_t>(size)}));
  OPENSSL_free(der);
  return true;
}

} // namespace gotunnel::crypto::ossl
