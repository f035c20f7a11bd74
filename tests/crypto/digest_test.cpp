#include "gotunnel/crypto/digest.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <vector>

using namespace gotunnel;
using namespace gotunnel::crypto;

namespace {

std::vector<std::byte> repeated(std::size_t count, unsigned value) {
  return std::vector<std::byte>(count, static_cast<std::byte>(value));
}

} // namespace

BOOST_AUTO_TEST_SUITE(digest)

BOOST_AUTO_TEST_CASE(sha256_of_the_examples_of_fips_180_4) {
  BOOST_TEST(to_hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(to_hex(sha256(as_bytes("abc"))) ==
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string million(1'000'000, 'a');
  BOOST_TEST(to_hex(sha256(as_bytes(million))) ==
             "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

BOOST_AUTO_TEST_CASE(hmac_of_the_examples_of_rfc_4231) {
  BOOST_TEST(to_hex(hmac_sha256(repeated(20, 0x0b), {as_bytes("Hi There")})) ==
             "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  BOOST_TEST(to_hex(hmac_sha256(as_bytes("Jefe"), {as_bytes("what do ya want for nothing?")})) ==
             "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  BOOST_TEST(to_hex(hmac_sha256(repeated(20, 0xaa), {repeated(50, 0xdd)})) ==
             "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  // A key longer than a block of the hash.
  BOOST_TEST(to_hex(hmac_sha256(repeated(131, 0xaa),
                                {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})) ==
             "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

BOOST_AUTO_TEST_CASE(hmac_parts_are_concatenated) {
  const bytes_view key = as_bytes("Jefe");
  const auto whole = hmac_sha256(key, {as_bytes("what do ya want for nothing?")});
  BOOST_TEST((hmac_sha256(key, {as_bytes("what do ya "), {}, as_bytes("want for nothing"), as_bytes("?")}) ==
              whole));
  BOOST_TEST((hmac_sha256(key, {as_bytes("what do ya want for nothing")}) != whole));
}

BOOST_AUTO_TEST_CASE(hmac_takes_an_empty_key_and_an_empty_message) {
  BOOST_TEST(to_hex(hmac_sha256({}, {})) ==
             "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

BOOST_AUTO_TEST_CASE(stretch_is_scrypt_of_rfc_7914) {
  // Section 12, the third vector; its key is 64 bytes, and PBKDF2 makes the first 32 of them independently of
  // the length.
  const auto key = stretch(secret_text("pleaseletmein"), "SodiumChloride");
  BOOST_TEST(to_hex(key.view()) == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
}

BOOST_AUTO_TEST_CASE(stretch_tells_secrets_and_salts_apart) {
  const auto key = stretch(secret_text("secret"), "salt");
  BOOST_TEST(!equal_in_constant_time(key.view(), stretch(secret_text("secreu"), "salt").view()));
  BOOST_TEST(!equal_in_constant_time(key.view(), stretch(secret_text("secret"), "salu").view()));
  BOOST_TEST(equal_in_constant_time(key.view(), stretch(secret_text("secret"), "salt").view()));
}

BOOST_AUTO_TEST_CASE(random_bytes_fill_the_span_and_differ) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    std::array<std::byte, 16> bytes{};
    random_bytes(bytes);
    BOOST_TEST(seen.insert(to_hex(bytes)).second);
  }
  std::array<std::byte, 40> framed{};
  random_bytes(bytes_span{framed}.subspan(4, 32));
  BOOST_TEST(to_hex(bytes_view{framed}.first(4)) == "00000000");
  BOOST_TEST(to_hex(bytes_view{framed}.last(4)) == "00000000");
  random_bytes({});
}

BOOST_AUTO_TEST_SUITE_END()
