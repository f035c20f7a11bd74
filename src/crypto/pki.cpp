#include "gotunnel/crypto/pki.hpp"

#include "gotunnel/crypto/ossl.hpp"

#include <openssl/pem.h>

#include <algorithm>
#include <ctime>

namespace gotunnel::crypto {
namespace {

using namespace ossl;

/// Certificates are valid from a while before they are made: the clock of a client may be behind ours.
constexpr auto clock_skew = 1h;

/// Memory or entropy is gone, or the library refuses its own defaults: nothing the user's files could be
/// blamed for.
error_code cannot_make() {
  clear_errors();
  return errc::bad_certificate;
}

name_ptr make_name(std::string_view common_name) {
  name_ptr name{X509_NAME_new()};
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
  const bool made = name && X509_NAME_add_entry_by_NID(name.get(), NID_commonName, MBSTRING_UTF8, text,
                                                       static_cast<int>(common_name.size()), -1, 0) == 1;
  return made ? std::move(name) : nullptr;
}

bool set_random_serial(X509* certificate) {
  const bignum_ptr number{BN_new()};
  if (!number || BN_rand(number.get(), 128, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1) return false;
  const integer_ptr serial{BN_to_ASN1_INTEGER(number.get(), nullptr)};
  return serial && X509_set_serialNumber(certificate, serial.get()) == 1;
}

bool set_validity(X509* certificate, wall_time from, wall_time to) {
  const time_ptr not_before{
      ASN1_TIME_set(nullptr, static_cast<std::time_t>(from.time_since_epoch().count()))};
  const time_ptr not_after{ASN1_TIME_set(nullptr, static_cast<std::time_t>(to.time_since_epoch().count()))};
  return not_before && not_after && X509_set1_notBefore(certificate, not_before.get()) == 1 &&
         X509_set1_notAfter(certificate, not_after.get()) == 1;
}

/// Adds an extension in the words of x509v3_config(5).
bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const extension_ptr extension{X509V3_EXT_nconf_nid(nullptr, &context, nid, value)};
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

key_ptr make_key() { return key_ptr{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")}; }

/// Version 3, serial, subject, validity and public key: what both kinds of certificate have.
x509_ptr make_blank(const X509_NAME* subject, EVP_PKEY* key, wall_time from, wall_time to) {
  x509_ptr certificate{X509_new()};
  const bool made =
      certificate && subject != nullptr && key != nullptr && X509_set_version(certificate.get(), 2) == 1 &&
      set_random_serial(certificate.get()) && X509_set_subject_name(certificate.get(), subject) == 1 &&
      set_validity(certificate.get(), from - clock_skew, to) && X509_set_pubkey(certificate.get(), key) == 1;
  return made ? std::move(certificate) : nullptr;
}

std::string_view written(BIO* out) {
  const char* text = nullptr;
  std::size_t size = 0;
  // BIO_get_mem_data() is a macro with an old cast; this is what it expands to, in two steps.
  BUF_MEM* memory = nullptr;
  if (BIO_ctrl(out, BIO_C_GET_BUF_MEM_PTR, 0, &memory) == 1) {
    text = memory->data;
    size = memory->length;
  }
  return {text, size};
}

result<credential> as_pem(X509* certificate, EVP_PKEY* key) {
  const bio_ptr certificate_out{BIO_new(BIO_s_mem())};
  const bio_ptr key_out{BIO_new(BIO_s_mem())};
  if (!certificate_out || !key_out || PEM_write_bio_X509(certificate_out.get(), certificate) != 1 ||
      PEM_write_bio_PKCS8PrivateKey(key_out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return cannot_make();
  }
  return credential{std::string(written(certificate_out.get())), secret_text(written(key_out.get()))};
}

wall_time to_wall_time(const ASN1_TIME* time, bool& valid) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    valid = false;
    return {};
  }
  using namespace std::chrono;
  const sys_days day = year{parts.tm_year + 1900} / month{static_cast<unsigned>(parts.tm_mon + 1)} /
                       std::chrono::day{static_cast<unsigned>(parts.tm_mday)};
  return day + hours{parts.tm_hour} + minutes{parts.tm_min} + seconds{parts.tm_sec};
}

std::vector<std::string> read_dns_names(const X509* certificate) {
  std::vector<std::string> names;
  const general_names_ptr all{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(all.get()); ++i) { // -1 for none at all
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type);
    if (type != GEN_DNS) continue;
    const auto* text = static_cast<const ASN1_IA5STRING*>(value);
    names.emplace_back(as_text(std::as_bytes(
        std::span{ASN1_STRING_get0_data(text), static_cast<std::size_t>(ASN1_STRING_length(text))})));
  }
  return names;
}

std::string read_subject(const X509* certificate) {
  const bio_ptr out{BIO_new(BIO_s_mem())};
  if (!out || X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
    return {};
  return std::string(written(out.get()));
}

bool is_authority(X509* certificate) {
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  return (flags & EXFLAG_BCONS) != 0 && (flags & EXFLAG_CA) != 0;
}

result<certificate_facts> facts_of(X509* certificate) {
  certificate_facts facts;
  bool valid = true;
  facts.not_before = to_wall_time(X509_get0_notBefore(certificate), valid);
  facts.not_after = to_wall_time(X509_get0_notAfter(certificate), valid);
  facts.subject = read_subject(certificate);
  facts.dns_names = read_dns_names(certificate);
  facts.authority = is_authority(certificate);
  std::array<std::byte, 32> digest{};
  valid = valid && hash_public_key(certificate, digest);
  facts.pin = "sha256:" + to_hex(digest);
  clear_errors();
  if (!valid) return errc::bad_certificate;
  return facts;
}

} // namespace

namespace {

result<credential> make_authority(const X509_NAME* name, EVP_PKEY* key, wall_time now, wall_time since) {
  const x509_ptr made = make_blank(name, key, std::min(now, since), now + std::chrono::years{10});
  X509* const ca = made.get();
  const bool ok = ca != nullptr && X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1 &&
                  add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                  add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                  add_extension(ca, ca, NID_subject_key_identifier, "hash") &&
                  X509_sign(ca, key, EVP_sha256()) > 0;
  if (!ok) return cannot_make();
  return as_pem(ca, key);
}

} // namespace

result<credential> make_authority(wall_time now, wall_time since) {
  const key_ptr key = make_key();
  const name_ptr name = make_name("GoTunnel CA");
  return make_authority(name.get(), key.get(), now, since);
}

result<credential> renew_authority(const credential& authority, wall_time now, wall_time since) {
  const x509_ptr ca = parse_certificate(authority.certificate);
  const key_ptr key = parse_key(authority.key);
  const bool fit = ca && key && is_authority(ca.get()) && X509_check_private_key(ca.get(), key.get()) == 1;
  clear_errors();
  if (!fit) return errc::bad_certificate;
  if (X509_NAME_cmp(X509_get_subject_name(ca.get()), X509_get_issuer_name(ca.get())) != 0)
    return errc::refused;
  return make_authority(X509_get_subject_name(ca.get()), key.get(), now, since);
}

result<credential> issue_server(const credential& authority, wall_time now, std::chrono::days lifetime,
                                wall_time since) {
  const x509_ptr ca = parse_certificate(authority.certificate);
  const key_ptr ca_key = parse_key(authority.key);
  if (!ca || !ca_key || !is_authority(ca.get()) || X509_check_private_key(ca.get(), ca_key.get()) != 1) {
    clear_errors();
    return errc::bad_certificate;
  }
  const result<certificate_facts> ca_facts = facts_of(ca.get());
  if (!ca_facts) return ca_facts.error();
  if (ca_facts->not_after <= now) return errc::certificate_expired;

  const key_ptr key = make_key();
  const wall_time end = std::min<wall_time>(now + lifetime, ca_facts->not_after);
  const name_ptr name = make_name(server_name);
  const x509_ptr made = make_blank(name.get(), key.get(), std::min(now, since), end);
  X509* const leaf = made.get();
  const std::string san = "DNS:" + std::string(server_name);
  bool ok = leaf != nullptr && X509_set_issuer_name(leaf, X509_get_subject_name(ca.get())) == 1 &&
            add_extension(leaf, ca.get(), NID_basic_constraints, "critical,CA:FALSE") &&
            add_extension(leaf, ca.get(), NID_key_usage, "critical,digitalSignature") &&
            add_extension(leaf, ca.get(), NID_ext_key_usage, "serverAuth") &&
            add_extension(leaf, ca.get(), NID_subject_alt_name, san.c_str()) &&
            add_extension(leaf, ca.get(), NID_subject_key_identifier, "hash");
  // A foreign CA may lack the identifier that this one would repeat.
  if (ok && X509_get0_subject_key_id(ca.get()) != nullptr) {
    ok = add_extension(leaf, ca.get(), NID_authority_key_identifier, "keyid");
  }
  if (!ok || X509_sign(leaf, ca_key.get(), EVP_sha256()) <= 0) return cannot_make();
  return as_pem(leaf, key.get());
}

result<certificate_facts> read_certificate(std::string_view pem) {
  const x509_ptr certificate = parse_certificate(pem);
  if (!certificate) return errc::bad_certificate;
  return facts_of(certificate.get());
}

result<bool> key_matches(std::string_view certificate_pem, const secret_text& key_pem) {
  const x509_ptr certificate = parse_certificate(certificate_pem);
  const key_ptr key = parse_key(key_pem);
  if (!certificate || !key) return errc::bad_certificate;
  const bool matches = X509_check_private_key(certificate.get(), key.get()) == 1;
  clear_errors();
  return matches;
}

result<bool> signed_by(std::string_view certificate_pem, std::string_view authority_pem) {
  const x509_ptr certificate = parse_certificate(certificate_pem);
  const x509_ptr authority = parse_certificate(authority_pem);
  if (!certificate || !authority) return errc::bad_certificate;
  EVP_PKEY* const key = X509_get0_pubkey(authority.get());
  const bool is_signed = key != nullptr && X509_verify(certificate.get(), key) == 1;
  clear_errors();
  return is_signed;
}

bool normalize_pin(std::string& pin) {
  constexpr std::string_view prefix = "sha256:";
  std::array<std::byte, 32> digest{};
  if (!pin.starts_with(prefix) || !from_hex(std::string_view(pin).substr(prefix.size()), digest))
    return false;
  pin = std::string(prefix) + to_hex(digest);
  return true;
}

} // namespace gotunnel::crypto
