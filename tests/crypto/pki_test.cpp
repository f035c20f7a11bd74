#include "gotunnel/crypto/pki.hpp"

#include "support/certificates.hpp"
#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace gotunnel;
using namespace gotunnel::crypto;
using namespace gotunnel::testing;
using std::chrono::days;

namespace {

struct fixture {
  wall_time start = std::chrono::sys_days{std::chrono::year{2026} / 7 / 1};
  credential authority = *make_authority(start);
  credential leaf = *issue_server(authority, start, days(90));

  static ossl::x509_ptr x509(const credential& of) { return ossl::parse_certificate(of.certificate); }
};

/// How OpenSSL writes an extension for people: "CA:TRUE, pathlen:0", with "critical " before it when it is.
std::string extension(const credential& of, int nid) {
  const auto certificate = ossl::parse_certificate(of.certificate);
  const int at = X509_get_ext_by_NID(certificate.get(), nid, -1);
  if (at < 0) return "none";
  auto* const found = X509_get_ext(certificate.get(), at);
  const ossl::bio_ptr out{BIO_new(BIO_s_mem())};
  X509V3_EXT_print(out.get(), found, 0, 0);
  return (X509_EXTENSION_get_critical(found) != 0 ? "critical " : "") + text_of(out.get());
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(pki, fixture)

BOOST_AUTO_TEST_CASE(the_authority_says_what_it_should) {
  const auto facts = read_certificate(authority.certificate);
  BOOST_TEST(facts->subject == "CN=GoTunnel CA");
  BOOST_TEST(facts->authority);
  BOOST_TEST(facts->dns_names.empty());
  BOOST_TEST((facts->not_before == start - 1h));
  BOOST_TEST((facts->not_after == start + std::chrono::years(10)));
  BOOST_TEST(extension(authority, NID_basic_constraints) == "critical CA:TRUE, pathlen:0");
  BOOST_TEST(extension(authority, NID_key_usage) == "critical Certificate Sign, CRL Sign");
  BOOST_TEST(extension(authority, NID_ext_key_usage) == "none");
  BOOST_TEST(extension(authority, NID_subject_key_identifier) != "none");
  BOOST_TEST(extension(authority, NID_authority_key_identifier) == "none"); // RFC 5280 4.2.1.1: it is its own
}

BOOST_AUTO_TEST_CASE(the_leaf_says_what_it_should) {
  const auto facts = read_certificate(leaf.certificate);
  BOOST_TEST(facts->subject == "CN=gotunnel.internal");
  BOOST_TEST(!facts->authority);
  BOOST_TEST((facts->dns_names == std::vector<std::string>{"gotunnel.internal"}));
  BOOST_TEST((facts->not_before == start - 1h));
  BOOST_TEST((facts->not_after == start + days(90)));
  BOOST_TEST(extension(leaf, NID_basic_constraints) == "critical CA:FALSE");
  BOOST_TEST(extension(leaf, NID_key_usage) == "critical Digital Signature");
  BOOST_TEST(extension(leaf, NID_ext_key_usage) == "TLS Web Server Authentication");
  BOOST_TEST(extension(leaf, NID_subject_key_identifier) != "none");
  BOOST_TEST(
      extension(leaf, NID_authority_key_identifier).find(extension(authority, NID_subject_key_identifier)) !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(both_are_version_3_with_p256_and_sha256) {
  for (const credential* one : {&authority, &leaf}) {
    const auto certificate = x509(*one);
    BOOST_TEST(X509_get_version(certificate.get()) == 2);
    BOOST_TEST(X509_get_signature_nid(certificate.get()) == NID_ecdsa_with_SHA256);
    const auto key = ossl::parse_key(one->key);
    char group[32] = {};
    EVP_PKEY_get_group_name(key.get(), group, sizeof group, nullptr);
    BOOST_TEST(group == std::string("prime256v1"));
    BOOST_TEST(one->key.reveal().starts_with("-----BEGIN PRIVATE KEY-----"));
  }
}

BOOST_AUTO_TEST_CASE(serials_are_random_and_positive) {
  std::set<std::string> seen;
  for (int i = 0; i < 20; ++i) {
    const auto certificate = x509(*issue_server(authority, start, days(1)));
    const ossl::bignum_ptr serial{ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr)};
    BOOST_TEST(!BN_is_negative(serial.get()));
    BOOST_TEST(BN_num_bits(serial.get()) > 100);
    BOOST_TEST(BN_num_bits(serial.get()) <= 128);
    char* const text = BN_bn2hex(serial.get());
    BOOST_TEST(seen.insert(text).second);
    OPENSSL_free(text);
  }
}

BOOST_AUTO_TEST_CASE(a_leaf_ends_with_its_authority_at_the_latest) {
  const wall_time end = read_certificate(authority.certificate)->not_after;
  const auto last = issue_server(authority, end - days(10), days(365));
  BOOST_TEST((read_certificate(last->certificate)->not_after == end));
  BOOST_TEST(issue_server(authority, end, days(1)).error() == errc::certificate_expired);
}

BOOST_AUTO_TEST_CASE(dates_beyond_2050_are_read) {
  const auto late = make_authority(std::chrono::sys_days{std::chrono::year{2060} / 2 / 29});
  BOOST_TEST((read_certificate(late->certificate)->not_before ==
              std::chrono::sys_days{std::chrono::year{2060} / 2 / 29} - 1h));
}

BOOST_AUTO_TEST_CASE(keys_and_certificates_are_matched) {
  const credential other = *make_authority(start);
  BOOST_TEST(*key_matches(authority.certificate, authority.key));
  BOOST_TEST(*key_matches(leaf.certificate, leaf.key));
  BOOST_TEST(!*key_matches(leaf.certificate, authority.key));
  BOOST_TEST(*signed_by(leaf.certificate, authority.certificate));
  BOOST_TEST(*signed_by(authority.certificate, authority.certificate));
  BOOST_TEST(!*signed_by(leaf.certificate, other.certificate)); // the same name, another key
  BOOST_TEST(!*signed_by(authority.certificate, leaf.certificate));
}

BOOST_AUTO_TEST_CASE(only_an_authority_with_its_key_issues) {
  const credential other = *make_authority(start);
  BOOST_TEST(issue_server(leaf, start, days(1)).error() == errc::bad_certificate);
  BOOST_TEST(issue_server({authority.certificate, other.key}, start, days(1)).error() ==
             errc::bad_certificate);
  BOOST_TEST(issue_server({authority.certificate, secret_text()}, start, days(1)).error() ==
             errc::bad_certificate);
  BOOST_TEST(issue_server({"", authority.key}, start, days(1)).error() == errc::bad_certificate);
}

BOOST_AUTO_TEST_CASE(the_originals_certificates_are_understood) {
  const auto [seed_authority, seed_leaf] = make_seed_certificates(start);
  BOOST_TEST(seed_leaf.key.reveal().starts_with("-----BEGIN EC PRIVATE KEY-----"));
  BOOST_TEST(read_certificate(seed_authority.certificate)->authority);
  BOOST_TEST(*key_matches(seed_leaf.certificate, seed_leaf.key));
  BOOST_TEST(*signed_by(seed_leaf.certificate, seed_authority.certificate));
  BOOST_TEST(issue_server(seed_authority, start, days(1)).has_value());
}

BOOST_AUTO_TEST_CASE(a_foreign_authority_without_key_identifier_issues) {
  certificate_plan plan{
      "Foreign CA", start, start + days(100), {{NID_basic_constraints, "critical,CA:TRUE"}}, true};
  const credential foreign = make_certificate(plan);
  const auto issued = issue_server(foreign, start, days(1));
  BOOST_REQUIRE(issued.has_value());
  BOOST_TEST(extension(*issued, NID_authority_key_identifier) == "none");
  BOOST_TEST(*signed_by(issued->certificate, foreign.certificate));
}

BOOST_AUTO_TEST_CASE(the_pin_is_the_hash_of_the_public_key) {
  const auto facts = read_certificate(leaf.certificate);
  BOOST_TEST(facts->pin.size() == 7 + 64u);
  std::string pin = facts->pin;
  BOOST_TEST(normalize_pin(pin));
  BOOST_TEST(pin == facts->pin);
  // The same key in another certificate has the same pin, another key another.
  BOOST_TEST(read_certificate(authority.certificate)->pin != facts->pin);
  // openssl x509 -pubkey | openssl pkey -pubin -outform der | sha256sum says so.
  static constexpr std::string_view known =
      "-----BEGIN CERTIFICATE-----\n"
      "MIIBdjCCARugAwIBAgIUVcYyTG2UYpIEwzH4eFkKP7iXE1QwCgYIKoZIzj0EAwIw\n"
      "EDEOMAwGA1UEAwwFa25vd24wHhcNMjYxMTIxMTMwMTMwWhcNMzYxMTE4MTMwMTMw\n"
      "WjAQMQ4wDAYDVQQDDAVrbm93bjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJpS\n"
      "Yttcj4f0fc5yCvc+kRfHBi120OHNTkQeo0F/DtweaUEuwxm7lodFkPAiPOaVN9UR\n"
      "hFAUYLycqkiRoxP9cwqjUzBRMB0GA1UdDgQWBBQbmAp+eepeHK6hHUovIhqWayPY\n"
      "ZDAfBgNVHSMEGDAWgBQbmAp+eepeHK6hHUovIhqWayPYZDAPBgNVHRMBAf8EBTAD\n"
      "AQH/MAoGCCqGSM49BAMCA0kAMEYCIQDkRs+WJFkNIOYVaVhq5mzOxfsSBmMzRoX4\n"
      "uN1dgPvW4QIhAKHBp3hNTqG6ygcqDCgy46Juc0Bjysm8+yKCt40vXD8T\n"
      "-----END CERTIFICATE-----\n";
  BOOST_TEST(read_certificate(known)->pin ==
             "sha256:aba33c344fe03f7669069ad7fd7ad2818e31b4793508f072eedcb8c1ee41f3c3");
}

BOOST_AUTO_TEST_CASE(pins_are_normalized_or_refused) {
  std::string pin = "sha256:" + std::string(32, 'A') + std::string(32, '0');
  BOOST_TEST(normalize_pin(pin));
  BOOST_TEST(pin == "sha256:" + std::string(32, 'a') + std::string(32, '0'));
  for (std::string bad : {std::string(), std::string("sha256:"), std::string(64, 'a'),
                          "sha1:" + std::string(64, 'a'), "sha256:" + std::string(63, 'a'),
                          "sha256:" + std::string(65, 'a'), "sha256:" + std::string(63, 'a') + "g",
                          " sha256:" + std::string(64, 'a'), "SHA256:" + std::string(64, 'a')}) {
    BOOST_TEST(!normalize_pin(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(texts_that_are_no_certificates_are_refused) {
  for (const std::string& bad :
       {std::string(), std::string("rubbish"), std::string(leaf.key.reveal()), std::string("\0", 1),
        leaf.certificate.substr(0, leaf.certificate.size() / 2),
        std::string(leaf.certificate).replace(100, 4, "????"),
        std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        leaf.certificate + std::string(64 * 1024, ' ')}) {
    BOOST_TEST(read_certificate(bad).error() == errc::bad_certificate);
    BOOST_TEST(key_matches(bad, leaf.key).error() == errc::bad_certificate);
    BOOST_TEST(signed_by(bad, leaf.certificate).error() == errc::bad_certificate);
    BOOST_TEST(signed_by(leaf.certificate, bad).error() == errc::bad_certificate);
  }
  BOOST_TEST(key_matches(leaf.certificate, secret_text(leaf.certificate)).error() == errc::bad_certificate);
}

BOOST_AUTO_TEST_CASE(text_around_a_certificate_is_ignored_and_the_first_one_counts) {
  const std::string text = "subject=whatever\n" + leaf.certificate + authority.certificate;
  BOOST_TEST(read_certificate(text)->subject == "CN=gotunnel.internal");
}

BOOST_AUTO_TEST_CASE(an_encrypted_key_is_refused_and_nobody_is_asked) {
  const auto key = ossl::parse_key(leaf.key);
  const ossl::bio_ptr out{BIO_new(BIO_s_mem())};
  char passphrase[] = "secret";
  BOOST_REQUIRE(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), passphrase, 6, nullptr,
                                              nullptr) == 1);
  BOOST_TEST(key_matches(leaf.certificate, secret_text(text_of(out.get()))).error() == errc::bad_certificate);
}

BOOST_AUTO_TEST_CASE(other_kinds_of_names_are_not_dns_names) {
  certificate_plan plan{
      "x", start, start + days(1), {{NID_subject_alt_name, "IP:10.0.0.1,DNS:a.b,email:x@y,DNS:*.c"}}};
  BOOST_TEST((read_certificate(make_certificate(plan).certificate)->dns_names ==
              std::vector<std::string>{"a.b", "*.c"}));
}

BOOST_AUTO_TEST_SUITE_END()
