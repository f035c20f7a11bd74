#include "gotunnel/link/gate_keys.hpp"

#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/wire/psk_auth.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace gotunnel;
using namespace gotunnel::link;

namespace {

bool same(const secret_key<32>& a, const secret_key<32>& b) { return std::ranges::equal(a.view(), b.view()); }

} // namespace

BOOST_AUTO_TEST_SUITE(gate_keys_test)

BOOST_AUTO_TEST_CASE(each_secret_is_kept_and_stretched) {
  const auto keys = make_gate_keys({secret_text("one"), secret_text("two")}, false);
  BOOST_TEST(keys->all.size() == 2U);
  BOOST_TEST(keys->first().secret.reveal() == "one");
  BOOST_TEST(keys->all[1].secret.reveal() == "two");
  BOOST_TEST(same(keys->first().stretched, crypto::stretch(secret_text("one"), wire::stretch_salt)));
  BOOST_TEST(same(keys->all[1].stretched, crypto::stretch(secret_text("two"), wire::stretch_salt)));
  BOOST_TEST(!keys->seed_peers);
}

BOOST_AUTO_TEST_CASE(what_is_known_is_not_stretched_again) {
  gate_keys known = *make_gate_keys({secret_text("one")}, true);
  known.all[0].stretched.span()[0] ^= std::byte{1}; // so that it shows
  const auto keys = make_gate_keys({secret_text("two"), secret_text("one")}, true, known);
  BOOST_TEST(same(keys->all[1].stretched, known.first().stretched));
  BOOST_TEST(same(keys->first().stretched, crypto::stretch(secret_text("two"), wire::stretch_salt)));
}

BOOST_AUTO_TEST_SUITE_END()
