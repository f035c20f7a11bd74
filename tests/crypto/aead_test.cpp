#include "gotunnel/crypto/aead.hpp"

#include "support/bytes_of.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::crypto;
using gotunnel::testing::bytes_of_hex;
using gotunnel::testing::noise;

namespace {

using bytes = std::vector<std::byte>;

constexpr std::byte tail{23};

aead::nonce number(unsigned seed) {
  aead::nonce made;
  std::ranges::copy(noise(made.size(), seed), made.begin());
  return made;
}

bytes seal(aead& by, bytes_view text, unsigned seed) {
  bytes out(text.size() + 1 + aead::tag_size);
  by.seal(number(seed), noise(5, seed), text, tail, out);
  return out;
}

/// All that there is for a key of this size, as pairs of (seals, opens).
struct maker {
  const char* name;
  std::unique_ptr<aead> (*make)(bytes_view key, aead::use direction);
};

std::unique_ptr<aead> by_openssl(bytes_view key, aead::use direction) {
  return make_evp_aead(key.size() == 16 ? "AES-128-GCM" : "AES-256-GCM", key, direction);
}
std::unique_ptr<aead> by_wide(bytes_view key, aead::use) { return make_wide_gcm(key); }

std::vector<maker> makers() {
  std::vector<maker> all = {{"OpenSSL", by_openssl}};
  if (make_wide_gcm(noise(16, 1)))
    all.push_back({"wide", by_wide});
  else
    BOOST_TEST_MESSAGE("no wide AES here");
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(aead_of_records)

// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 4, with its last byte as the tail.
BOOST_AUTO_TEST_CASE(a_known_answer) {
  const bytes key = bytes_of_hex("feffe9928665731c6d6a8f9467308308");
  const bytes text = bytes_of_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                                  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
  const bytes ad = bytes_of_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  aead::nonce nonce;
  std::ranges::copy(bytes_of_hex("cafebabefacedbaddecaf888"), nonce.begin());
  for (const maker& each : makers()) {
    bytes out(text.size() + aead::tag_size);
    each.make(key, aead::use::seal)
        ->seal(nonce, ad, bytes_view(text).first(text.size() - 1), text.back(), out);
    BOOST_TEST(to_hex(out) == "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                              "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
                              "5bc94fbc3221a5db94fae95ae7121a47",
               each.name);
  }
}

BOOST_AUTO_TEST_CASE(whoever_seals_everybody_opens) {
  for (const std::size_t key_size : {16u, 32u}) {
    const bytes key = noise(key_size, 9);
    for (const maker& one : makers()) {
      for (const maker& other : makers()) {
        const auto seals = one.make(key, aead::use::seal);
        const auto opens = other.make(key, aead::use::open);
        for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 255u, 256u, 1000u, 4095u, 16384u}) {
          const bytes text = noise(size, static_cast<unsigned>(size));
          const bytes sealed = seal(*seals, text, 7);
          bytes to(size);
          std::byte last{};
          BOOST_TEST(opens->open(number(7), noise(5, 7), sealed, to, last), one.name << " to " << other.name);
          BOOST_TEST((to == text));
          BOOST_TEST((last == tail));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_changed_is_refused_and_the_next_message_is_not) {
  const bytes key = noise(16, 3);
  const bytes text = noise(1000, 4);
  for (const maker& each : makers()) {
    const auto seals = each.make(key, aead::use::seal);
    const auto opens = each.make(key, aead::use::open);
    const bytes sealed = seal(*seals, text, 5);
    bytes to(text.size());
    std::byte last{};
    for (const std::size_t at :
         {std::size_t{0}, text.size() - 1, text.size(), text.size() + 1, sealed.size() - 1}) {
      bytes changed = sealed;
      changed[at] ^= std::byte{1};
      BOOST_TEST(!opens->open(number(5), noise(5, 5), changed, to, last), each.name << " at " << at);
    }
    BOOST_TEST(!opens->open(number(6), noise(5, 5), sealed, to, last), each.name << ": another nonce");
    BOOST_TEST(!opens->open(number(5), noise(5, 6), sealed, to, last), each.name << ": other data");
    BOOST_TEST(opens->open(number(5), noise(5, 5), sealed, to, last), each.name);
    BOOST_TEST((to == text));
  }
}

BOOST_AUTO_TEST_CASE(opened_in_its_own_place) {
  const bytes key = noise(32, 3);
  const bytes text = noise(5000, 4);
  for (const maker& each : makers()) {
    bytes sealed = seal(*each.make(key, aead::use::seal), text, 5);
    std::byte last{};
    BOOST_TEST(each.make(key, aead::use::open)
                   ->open(number(5), noise(5, 5), sealed, bytes_span(sealed).first(text.size()), last));
    BOOST_TEST(std::ranges::equal(bytes_view(sealed).first(text.size()), text));
  }
}

BOOST_AUTO_TEST_CASE(a_key_of_the_wrong_size) {
  BOOST_CHECK_THROW(make_evp_aead("AES-128-GCM", noise(32, 1), aead::use::seal), std::runtime_error);
  BOOST_CHECK_THROW(make_evp_aead("no such cipher", noise(16, 1), aead::use::seal), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()
