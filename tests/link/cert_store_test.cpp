#include "gotunnel/link/cert_store.hpp"

#include "gotunnel/crypto/tls_engine.hpp"
#include "support/cert_directory.hpp"
#include "support/engine_pair.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::link;
using namespace gotunnel::testing;
using std::chrono::days;

BOOST_FIXTURE_TEST_SUITE(cert_store_life, cert_directory)

BOOST_AUTO_TEST_CASE(the_first_start_makes_four_files) {
  const cert_store store = cert_store::open(dir, start);
  BOOST_TEST(store.created());
  BOOST_TEST(store.renewable());
  BOOST_TEST(store.warnings().empty());
  BOOST_TEST(names() == "ca.crt ca.key server.crt server.key");
  BOOST_TEST(mode_of(dir) == 0700u);
  BOOST_TEST(mode_of(dir / "ca.key") == 0600u);
  BOOST_TEST(mode_of(dir / "server.key") == 0600u);
  BOOST_TEST(mode_of(dir / "ca.crt") == 0644u);
  BOOST_TEST(store.authority() == slurp(dir / "ca.crt"));
  BOOST_TEST(store.server().certificate == slurp(dir / "server.crt"));
  BOOST_TEST((store.server_facts().not_after == start + days(365)));
  BOOST_TEST(store.authority_facts().authority);
  BOOST_TEST(!store.due(start));
}

BOOST_AUTO_TEST_CASE(later_starts_load_them) {
  const std::string authority = cert_store::open(dir, start).authority();
  const auto before = contents();
  const cert_store store = cert_store::open(dir, start + days(1));
  BOOST_TEST(!store.created());
  BOOST_TEST(store.authority() == authority);
  BOOST_TEST((contents() == before));
}

BOOST_AUTO_TEST_CASE(other_files_are_none_of_its_business) {
  std::filesystem::create_directory(dir);
  std::filesystem::permissions(dir, std::filesystem::perms(0755));
  spill(dir / "README.md", "read me");
  spill(dir / ".gitignore", "*");
  BOOST_TEST(cert_store::open(dir, start).created());
  BOOST_TEST(slurp(dir / "README.md") == "read me");
  BOOST_TEST(mode_of(dir) == 0755u); // not ours to change
  BOOST_TEST(names() == ".gitignore README.md ca.crt ca.key server.crt server.key");
}

BOOST_AUTO_TEST_CASE(the_certificates_serve_a_client_with_the_ca_or_a_pin) {
  const wall_time now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const cert_store store = cert_store::open(dir, now);
  const auto server = crypto::tls_context::server({store.server(), store.authority(), true});
  for (const crypto::tls_client_options& trust :
       {crypto::tls_client_options{store.authority(), "", true},
        crypto::tls_client_options{"", store.authority_facts().pin, true},
        crypto::tls_client_options{"", store.server_facts().pin, true}}) {
    engine_pair pair{crypto::tls_engine(*crypto::tls_context::client(trust)), crypto::tls_engine(*server)};
    BOOST_TEST(pair.handshake());
  }
}

BOOST_AUTO_TEST_CASE(the_originals_certificates_are_loaded_and_renewed) {
  const auto [authority, leaf] = make_seed_certificates(start);
  put(authority, leaf);
  cert_store store = cert_store::open(dir, start + days(1));
  BOOST_TEST(!store.created());
  BOOST_TEST(store.renewable());
  BOOST_TEST(store.warnings().empty());
  BOOST_TEST(!store.due(start + days(3000)));
  BOOST_TEST(store.server().key.reveal().find("EC PRIVATE KEY") != std::string::npos);
  store.renew(start + days(2));
  BOOST_TEST(store.authority() == authority.certificate);
  BOOST_TEST(*crypto::signed_by(store.server().certificate, authority.certificate));
  BOOST_TEST((store.server_facts().not_after == start + days(367)));
}

BOOST_AUTO_TEST_CASE(a_leaf_is_due_in_its_last_ninety_days) {
  const cert_store store = cert_store::open(dir, start);
  BOOST_TEST(!store.due(start + days(365 - 90)));
  BOOST_TEST(store.due(start + days(365 - 90) + 1s));
}

BOOST_AUTO_TEST_CASE(a_short_leaf_is_due_in_its_last_third) {
  const cert_store store = cert_store::open(dir, start, {days(30), days(90)});
  BOOST_TEST(!store.due(start + days(19)));
  BOOST_TEST(store.due(start + days(21)));
}

BOOST_AUTO_TEST_CASE(a_leaf_that_ends_with_its_ca_is_not_due_for_ever) {
  cert_store store = cert_store::open(dir, start);
  const wall_time late = store.authority_facts().not_after - days(10);
  store.renew(late);
  BOOST_TEST((store.server_facts().not_after == store.authority_facts().not_after));
  BOOST_TEST(!store.due(late + days(5)));
  BOOST_TEST(warned(store, "ca.crt: expires on"));
}

BOOST_AUTO_TEST_CASE(renewal_replaces_the_leaf_and_nothing_else) {
  cert_store store = cert_store::open(dir, start);
  const auto before = contents();
  store.renew(start + days(300));
  const auto after = contents();
  BOOST_TEST(before.at("ca.crt") == after.at("ca.crt"));
  BOOST_TEST(before.at("ca.key") == after.at("ca.key"));
  BOOST_TEST(before.at("server.crt") != after.at("server.crt"));
  BOOST_TEST(before.at("server.key") != after.at("server.key"));
  BOOST_TEST(mode_of(dir / "server.key") == 0600u);
  BOOST_TEST(store.server().certificate == after.at("server.crt"));
  BOOST_TEST((store.server_facts().not_after == start + days(665)));
  BOOST_TEST(names() == "ca.crt ca.key server.crt server.key");
}

BOOST_AUTO_TEST_CASE(a_due_or_expired_leaf_is_renewed_at_the_start) {
  static_cast<void>(cert_store::open(dir, start));
  BOOST_TEST((cert_store::open(dir, start + days(300)).server_facts().not_after == start + days(665)));
  BOOST_TEST((cert_store::open(dir, start + days(900)).server_facts().not_after == start + days(1265)));
}

BOOST_AUTO_TEST_CASE(without_the_cas_key_the_leaf_serves_until_it_expires) {
  static_cast<void>(cert_store::open(dir, start));
  std::filesystem::remove(dir / "ca.key");
  cert_store store = cert_store::open(dir, start + days(300));
  BOOST_TEST(!store.renewable());
  BOOST_TEST(!store.due(start + days(300)));
  BOOST_TEST(warned(store, "server.crt: expires on 2027-01-01 00:00:00 UTC and cannot be renewed here"));
  BOOST_CHECK_EXCEPTION(store.renew(start + days(300)), cert_error, says("ca.key: is absent"));
  BOOST_CHECK_EXCEPTION(open_at(start + days(365)), cert_error,
                        says("server.crt: expired on 2027-01-01 00:00:00 UTC; put ca.key"));
}

BOOST_AUTO_TEST_CASE(a_missing_pair_is_issued_anew) {
  static_cast<void>(cert_store::open(dir, start));
  std::filesystem::remove(dir / "server.key");
  std::filesystem::remove(dir / "server.crt");
  const cert_store store = cert_store::open(dir, start + days(1));
  BOOST_TEST(!store.created());
  BOOST_TEST(warned(store, "issued anew"));
  BOOST_TEST((store.server_facts().not_after == start + days(366)));
}

BOOST_AUTO_TEST_CASE(reload_sees_what_another_process_did) {
  cert_store store = cert_store::open(dir, start);
  BOOST_TEST(!store.reload(start));
  cert_store other = cert_store::open(dir, start);
  other.renew(start + days(1));
  BOOST_TEST(store.reload(start));
  BOOST_TEST(store.server().certificate == other.server().certificate);
  BOOST_TEST(!store.reload(start));
  std::filesystem::remove(dir / "ca.key");
  BOOST_TEST(store.reload(start));
  BOOST_TEST(!store.renewable());
}

BOOST_AUTO_TEST_CASE(a_reload_or_renewal_that_fails_keeps_what_it_had) {
  cert_store store = cert_store::open(dir, start);
  const std::string leaf = store.server().certificate;
  spill(dir / "server.crt", "rubbish");
  BOOST_CHECK_EXCEPTION(static_cast<void>(store.reload(start)), cert_error,
                        says("server.crt: is not a certificate"));
  BOOST_CHECK_EXCEPTION(store.renew(start + days(1)), cert_error, says("server.crt: is not a certificate"));
  BOOST_TEST(store.server().certificate == leaf);
  spill(dir / "server.crt", leaf);
  BOOST_TEST(!store.reload(start));
}

BOOST_AUTO_TEST_CASE(a_clock_that_went_back_is_a_warning) {
  static_cast<void>(cert_store::open(dir, start));
  const cert_store store = cert_store::open(dir, start - days(400));
  BOOST_TEST(warned(store, "is not valid before 2025-12-31 23:00:00 UTC; is this machine's clock right?"));
}

BOOST_AUTO_TEST_CASE(what_a_clock_of_1970_made_serves_once_it_is_right) {
  cert_policy policy;
  policy.built = start;
  const wall_time boot{20s};
  const cert_store first = cert_store::open(dir, boot, policy);
  BOOST_TEST(warned(
      first, "this machine's clock says 1970-01-01 00:00:20 UTC, which is before this program was made "
             "(2026-01-01 00:00:00 UTC); set it: the new CA serves until 2036-01-01"));
  for (const auto& facts : {first.authority_facts(), first.server_facts()})
    BOOST_TEST((facts.not_before < boot));
  BOOST_TEST((first.server_facts().not_after == start + days(365)));
  BOOST_TEST(!first.due(boot));

  const cert_store later = cert_store::open(dir, start + days(30), policy);
  BOOST_TEST(later.authority() == first.authority());
  BOOST_TEST(later.server().certificate == first.server().certificate);
  BOOST_TEST(later.warnings().empty());
  const cert_store years_later = cert_store::open(dir, start + days(900), policy);
  BOOST_TEST(years_later.authority() == first.authority());
  BOOST_TEST((years_later.server_facts().not_after == start + days(1265)));
}

BOOST_AUTO_TEST_CASE(a_wrong_clock_does_not_hide_that_a_certificate_has_ended) {
  static_cast<void>(cert_store::open(dir, start - days(900)));
  std::filesystem::remove(dir / "ca.key");
  cert_policy policy;
  policy.built = start;
  BOOST_CHECK_EXCEPTION(static_cast<void>(cert_store::open(dir, wall_time{20s}, policy)), cert_error,
                        says("server.crt: expired on"));
}

BOOST_AUTO_TEST_CASE(a_ca_that_has_ended_is_renewed_with_its_key) {
  const cert_store old = cert_store::open(dir, start);
  const wall_time late = start + days(4000);
  BOOST_CHECK_EXCEPTION(open_at(late), cert_error,
                        says("ca.crt: expired on 2036-01-01 10:12:00 UTC; `gotunnel pki renew -ca -certs "));
  const auto before = contents();
  const cert_store seen = cert_store::look(dir, late);
  BOOST_TEST(warned(seen, "ca.crt: expired, so that clients refuse it, on 2036-01-01"));
  BOOST_TEST((contents() == before));

  const cert_store renewed = cert_store::renew_authority(dir, late);
  BOOST_TEST(renewed.authority_facts().pin == old.authority_facts().pin);
  BOOST_TEST(renewed.authority_facts().subject == "CN=GoTunnel CA");
  BOOST_TEST((renewed.authority_facts().not_after > late + days(3600)));
  BOOST_TEST((renewed.server_facts().not_after == late + days(365)));
  BOOST_TEST(*crypto::signed_by(renewed.server().certificate,
                                old.authority())); // who has the old one goes on until its end
  BOOST_TEST(cert_store::open(dir, late).authority() == renewed.authority());
  std::filesystem::remove(dir / "ca.key");
  BOOST_CHECK_EXCEPTION(static_cast<void>(cert_store::renew_authority(dir, late)), cert_error,
                        says("ca.key: is absent; put it there to renew ca.crt"));
}

BOOST_AUTO_TEST_CASE(what_ends_is_said_with_the_days) {
  const cert_store store = cert_store::open(dir, start);
  BOOST_TEST(store.expiry(start).empty());
  BOOST_TEST(store.expiry(start + days(300)).empty()); // renews itself
  const auto near = store.expiry(start + days(340));
  BOOST_TEST_REQUIRE(near.size() == 1U);
  BOOST_TEST(near.front() ==
             (dir / "server.crt").string() +
                 ": expires on 2027-01-01 00:00:00 UTC, in 25 days; run `gotunnel pki renew -certs " +
                 dir.string() + "`: it says what prevents that");
  const auto over = store.expiry(start + days(4000));
  BOOST_TEST_REQUIRE(over.size() == 2U);
  BOOST_TEST(over.front().find(
                 "ca.crt: expired, so that clients refuse it, on 2036-01-01 10:12:00 UTC, 348 days ago; "
                 "`gotunnel pki renew -ca") != std::string::npos,
             over.front());
}

BOOST_AUTO_TEST_CASE(keys_that_others_can_read_are_a_warning) {
  static_cast<void>(cert_store::open(dir, start));
  std::filesystem::permissions(dir / "server.key", std::filesystem::perms(0644));
  std::filesystem::permissions(dir / "ca.key", std::filesystem::perms(0640));
  const cert_store store = cert_store::open(dir, start);
  BOOST_TEST(warned(store, "server.key: others than its owner can use it (mode 0644)"));
  BOOST_TEST(warned(store, "ca.key: others than its owner can use it (mode 0640)"));
}

BOOST_AUTO_TEST_SUITE_END()
