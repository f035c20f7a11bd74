// Whom a client trusts: the CA or the pin it was given, the name, the times; nothing else.
#include "gotunnel/crypto/tls_context.hpp"

#include "support/certificates.hpp"
#include "support/engine_pair.hpp"
#include "support/print_error.hpp"
#include "support/raw_tls_peer.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::crypto;
using namespace gotunnel::testing;
using std::chrono::days;

namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

struct fixture {
  credential authority = *make_authority(now());
  credential other = *make_authority(now());
  credential leaf = *issue_server(authority, now(), days(30));

  static std::string pin_of(const credential& of) { return read_certificate(of.certificate)->pin; }

  /// What a client with this trust makes of a server with this leaf and chain; empty when it is content.
  static error_code meets(const tls_client_options& trust, const credential& server_leaf,
                          const std::string& chain) {
    engine_pair pair{tls_engine(*tls_context::client(trust)),
                     tls_engine(*tls_context::server({server_leaf, chain, true}))};
    pair.handshake();
    if (pair.client_error) {
      BOOST_TEST(pair.server_error == errc::tls_failure); // told by an alert
      BOOST_TEST(pair.server.failure().find("alert") != std::string::npos);
      BOOST_TEST(!pair.client.failure().empty());
    } else {
      BOOST_TEST(pair.server_done);
    }
    return pair.client_error;
  }
  [[nodiscard]] error_code with_ca(const credential& server_leaf) const {
    return meets({authority.certificate, "", true}, server_leaf, authority.certificate);
  }
  [[nodiscard]] error_code with_pin(const std::string& pin, const credential& server_leaf) const {
    return meets({"", pin, true}, server_leaf, authority.certificate);
  }
  [[nodiscard]] credential spoiled(const certificate_plan& plan) const {
    return make_certificate(plan, &authority);
  }
};

const error_code content;

} // namespace

BOOST_FIXTURE_TEST_SUITE(tls_trust, fixture)

BOOST_AUTO_TEST_CASE(the_right_ca) {
  BOOST_TEST(with_ca(leaf) == content);
  BOOST_TEST(meets({authority.certificate, "", true}, leaf, "") == content); // the chain need not be sent
  BOOST_TEST(meets({other.certificate + authority.certificate, "", true}, leaf, authority.certificate) ==
             content);
}

BOOST_AUTO_TEST_CASE(a_ca_file_as_editors_leave_it) {
  for (const std::string& edited : as_editors_leave_it(authority.certificate)) {
    BOOST_TEST(read_certificate(edited)->pin == pin_of(authority));
    BOOST_TEST(meets({edited, "", true}, leaf, authority.certificate) == content);
  }
}

BOOST_AUTO_TEST_CASE(the_wrong_ca) {
  BOOST_TEST(meets({other.certificate, "", true}, leaf, authority.certificate) == errc::untrusted_server);
  // A leaf in place of the CA is no anchor: partial chains need a pin.
  BOOST_TEST(meets({leaf.certificate, "", true}, leaf, authority.certificate) == errc::untrusted_server);
}

BOOST_AUTO_TEST_CASE(a_pin_of_the_ca_or_of_the_leaf) {
  BOOST_TEST(with_pin(pin_of(authority), leaf) == content);
  BOOST_TEST(with_pin(pin_of(leaf), leaf) == content);
  BOOST_TEST(meets({"", pin_of(leaf), true}, leaf, "") == content);
  std::string upper = pin_of(leaf);
  for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
  BOOST_TEST(with_pin("sha256:" + upper.substr(7), leaf) == content);
}

BOOST_AUTO_TEST_CASE(a_wrong_pin) {
  BOOST_TEST(with_pin(pin_of(other), leaf) == errc::untrusted_server);
  BOOST_TEST(meets({"", pin_of(authority), true}, leaf, "") ==
             errc::untrusted_server); // the pinned one was not sent
}

BOOST_AUTO_TEST_CASE(showing_the_pinned_certificate_is_not_enough) {
  // A man in the middle knows both certificates, and has the key of neither: he signs a leaf of his own, and
  // shows ours too.
  const credential forged = *issue_server(other, now(), days(30));
  BOOST_TEST(meets({"", pin_of(authority), true}, forged, authority.certificate) == errc::untrusted_server);
  BOOST_TEST(meets({"", pin_of(leaf), true}, forged, leaf.certificate) == errc::untrusted_server);
  BOOST_TEST(meets({"", pin_of(leaf), true}, forged, leaf.certificate + authority.certificate) ==
             errc::untrusted_server);
}

BOOST_AUTO_TEST_CASE(the_name_is_checked_with_ca_and_with_pin) {
  certificate_plan plan = plain_leaf(now() - 1h, now() + days(1));
  for (const char* names :
       {"DNS:example.org", "DNS:*.internal", "IP:127.0.0.1", "email:gotunnel.internal@x.y"}) {
    plan.extensions.back().second = names;
    const credential wrong = spoiled(plan);
    BOOST_TEST(with_ca(wrong) == errc::wrong_server_name, names);
    BOOST_TEST(with_pin(pin_of(authority), wrong) == errc::wrong_server_name, names);
    BOOST_TEST(with_pin(pin_of(wrong), wrong) == errc::wrong_server_name, names);
  }
  plan.extensions.back().second = "DNS:example.org,DNS:gotunnel.internal";
  BOOST_TEST(with_ca(spoiled(plan)) == content);
}

BOOST_AUTO_TEST_CASE(the_common_name_is_no_name) {
  certificate_plan plan = plain_leaf(now() - 1h, now() + days(1));
  plan.extensions.pop_back();
  BOOST_TEST(with_ca(spoiled(plan)) == errc::wrong_server_name);
}

BOOST_AUTO_TEST_CASE(times_are_checked_with_ca_and_with_pin) {
  for (const auto& [from, to] :
       {std::pair{now() - days(2), now() - days(1)}, std::pair{now() + days(1), now() + days(2)}}) {
    const credential wrong = spoiled(plain_leaf(from, to));
    BOOST_TEST(with_ca(wrong) == errc::certificate_expired);
    BOOST_TEST(with_pin(pin_of(authority), wrong) == errc::certificate_expired);
    BOOST_TEST(with_pin(pin_of(wrong), wrong) == errc::certificate_expired);
  }
}

BOOST_AUTO_TEST_CASE(an_expired_ca_signs_nothing_but_a_pinned_leaf_stands_for_itself) {
  const credential old = *make_authority(now() - std::chrono::years(11));
  const credential young = make_certificate(plain_leaf(now() - 1h, now() + days(1)), &old);
  BOOST_TEST(meets({old.certificate, "", true}, young, old.certificate) == errc::certificate_expired);
  BOOST_TEST(meets({"", pin_of(old), true}, young, old.certificate) == errc::certificate_expired);
  BOOST_TEST(meets({"", pin_of(young), true}, young, old.certificate) == content);
}

BOOST_AUTO_TEST_CASE(a_certificate_for_clients_is_no_servers) {
  certificate_plan plan = plain_leaf(now() - 1h, now() + days(1));
  plan.extensions[1].second = "clientAuth";
  BOOST_TEST(with_ca(spoiled(plan)) == errc::untrusted_server);
}

BOOST_AUTO_TEST_CASE(a_leaf_cannot_sign_for_others) {
  // pathlen 0 and CA:FALSE: whoever steals server.key must not become a CA.
  const credential forged = make_certificate(plain_leaf(now() - 1h, now() + days(1)), &leaf);
  BOOST_TEST(meets({authority.certificate, "", true}, forged, leaf.certificate + authority.certificate) ==
             errc::untrusted_server);
  BOOST_TEST(meets({"", pin_of(authority), true}, forged, leaf.certificate + authority.certificate) ==
             errc::untrusted_server);
}

BOOST_AUTO_TEST_CASE(the_originals_certificates_are_trusted) {
  const auto [seed_authority, seed_leaf] = make_seed_certificates(now() - 1min);
  BOOST_TEST(meets({seed_authority.certificate, "", true}, seed_leaf, "") == content);
  BOOST_TEST(meets({"", pin_of(seed_leaf), true}, seed_leaf, "") == content);
  BOOST_TEST(meets({"", pin_of(seed_authority), true}, seed_leaf, seed_authority.certificate) == content);
}

BOOST_AUTO_TEST_CASE(the_failure_says_what_is_wrong) {
  engine_pair pair{tls_engine(*tls_context::client({other.certificate, "", true})),
                   tls_engine(*tls_context::server({leaf, authority.certificate, true}))};
  pair.handshake();
  BOOST_TEST(pair.client.failure().find("certificate") != std::string::npos, pair.client.failure());
}

BOOST_AUTO_TEST_CASE(contexts_of_bad_material_are_refused) {
  const auto bad_server = [](const tls_server_options& options) {
    return tls_context::server(options).error();
  };
  const auto bad_client = [](const tls_client_options& options) {
    return tls_context::client(options).error();
  };
  BOOST_TEST(bad_server({{leaf.certificate, other.key}, authority.certificate, true}) ==
             errc::bad_certificate);
  BOOST_TEST(bad_server({{"rubbish", leaf.key}, authority.certificate, true}) == errc::bad_certificate);
  BOOST_TEST(bad_server({{leaf.certificate, secret_text("rubbish")}, "", true}) == errc::bad_certificate);
  BOOST_TEST(bad_server({leaf, "rubbish", true}) == errc::bad_certificate);
  BOOST_TEST(bad_client({"", "", true}) == errc::bad_certificate);
  BOOST_TEST(bad_client({"rubbish", "", true}) == errc::bad_certificate);
  BOOST_TEST(bad_client({authority.certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n", "", true}) ==
             errc::bad_certificate);
  BOOST_TEST(bad_client({"", "sha256:12", true}) == errc::bad_certificate);
  BOOST_TEST(bad_client({authority.certificate, pin_of(authority), true}) ==
             errc::bad_certificate); // either, not both
}

BOOST_AUTO_TEST_SUITE_END()
