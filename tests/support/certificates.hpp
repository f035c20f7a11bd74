// Certificates that no healthy program makes, and those of the original program: signed by the test itself.
//
// The test links OpenSSL through gotunnel_core; this is the one header outside crypto/ that includes it.
#pragma once

#include "gotunnel/crypto/ossl.hpp"
#include "gotunnel/crypto/pki.hpp"

#include <openssl/pem.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gotunnel::testing {

/// What a certificate shall say. The extensions are in the words of x509v3_config(5).
struct certificate_plan {
  std::string common_name = "gotunnel.internal";
  wall_time from{};
  wall_time to{};
  std::vector<std::pair<int, std::string>> extensions;
  bool sec1 = false; ///< the key as `EC PRIVATE KEY`, as Go's x509.MarshalECPrivateKey makes it
};

inline void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

inline std::string text_of(BIO* out) {
  char* data = nullptr;
  const long size = BIO_ctrl(out, BIO_CTRL_INFO, 0, &data);
  return {data, static_cast<std::size_t>(size)};
}

/// Signed by `issuer`, or by itself when that is null.
inline crypto::credential make_certificate(const certificate_plan& plan,
                                           const crypto::credential* issuer = nullptr) {
  using namespace crypto::ossl;
  const key_ptr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  const x509_ptr made{X509_new()};
  const name_ptr name{X509_NAME_new()};
  require(key && made && name, "new");
  const auto* cn = reinterpret_cast<const unsigned char*>(plan.common_name.c_str());
  require(X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8, cn, -1, -1, 0) == 1, "name");
  X509_set_version(made.get(), 2);
  X509_set_subject_name(made.get(), name.get());
  X509_set_pubkey(made.get(), key.get());

  const bignum_ptr number{BN_new()};
  require(number && BN_rand(number.get(), 100, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1, "serial");
  const integer_ptr serial{BN_to_ASN1_INTEGER(number.get(), nullptr)};
  X509_set_serialNumber(made.get(), serial.get());
  const time_ptr from{ASN1_TIME_set(nullptr, plan.from.time_since_epoch().count())};
  const time_ptr to{ASN1_TIME_set(nullptr, plan.to.time_since_epoch().count())};
  X509_set1_notBefore(made.get(), from.get());
  X509_set1_notAfter(made.get(), to.get());

  const x509_ptr parent = issuer != nullptr ? parse_certificate(issuer->certificate) : nullptr;
  const key_ptr parent_key = issuer != nullptr ? parse_key(issuer->key) : nullptr;
  X509* const by = parent ? parent.get() : made.get();
  X509_set_issuer_name(made.get(), X509_get_subject_name(by));
  for (const auto& [nid, value] : plan.extensions) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, by, made.get(), nullptr, nullptr, 0);
    const extension_ptr extension{X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str())};
    require(extension && X509_add_ext(made.get(), extension.get(), -1) == 1, value.c_str());
  }
  require(X509_sign(made.get(), parent_key ? parent_key.get() : key.get(), EVP_sha256()) > 0, "sign");

  const bio_ptr certificate_out{BIO_new(BIO_s_mem())};
  const bio_ptr key_out{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_X509(certificate_out.get(), made.get()) == 1, "write");
  require((plan.sec1 ? PEM_write_bio_PrivateKey_traditional(key_out.get(), key.get(), nullptr, nullptr, 0,
                                                            nullptr, nullptr)
                     : PEM_write_bio_PKCS8PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                                     nullptr)) == 1,
          "write key");
  return {text_of(certificate_out.get()), secret_text(text_of(key_out.get()))};
}

/// The same PEM with the line ends of Windows, with a byte order mark before it, and with both.
inline std::vector<std::string> as_editors_leave_it(std::string_view pem) {
  std::string lines;
  for (const char c : pem) lines += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const std::string mark = "\xEF\xBB\xBF";
  return {lines, mark + std::string(pem), mark + lines};
}

/// The CA and the leaf as the original program makes them on its first start (reference: its generateCerts).
inline std::pair<crypto::credential, crypto::credential> make_seed_certificates(wall_time now) {
  const wall_time end = now + std::chrono::years{10};
  certificate_plan ca{"GoTunnel CA", now, end, {}, true};
  ca.extensions = {{NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign"},
                   {NID_ext_key_usage, "serverAuth"},
                   {NID_basic_constraints, "critical,CA:TRUE"},
                   {NID_subject_key_identifier, "hash"}};
  auto authority = make_certificate(ca);
  certificate_plan leaf{"gotunnel.internal", now, end, {}, true};
  leaf.extensions = {{NID_key_usage, "critical,digitalSignature,keyEncipherment"},
                     {NID_ext_key_usage, "serverAuth"},
                     {NID_authority_key_identifier, "keyid"},
                     {NID_subject_alt_name, "DNS:gotunnel.internal"}};
  auto server = make_certificate(leaf, &authority);
  return {std::move(authority), std::move(server)};
}

/// A leaf like those of crypto::issue_server(), to be spoiled.
inline certificate_plan plain_leaf(wall_time from, wall_time to) {
  certificate_plan plan{"gotunnel.internal", from, to, {}, false};
  plan.extensions = {{NID_key_usage, "critical,digitalSignature"},
                     {NID_ext_key_usage, "serverAuth"},
                     {NID_subject_alt_name, "DNS:gotunnel.internal"}};
  return plan;
}

} // namespace gotunnel::testing
