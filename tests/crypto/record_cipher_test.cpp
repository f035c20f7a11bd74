#include "gotunnel/crypto/record_cipher.hpp"

#include "support/bytes_of.hpp"
#include "support/print_error.hpp"
#include "support/record_peers.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::crypto;
using namespace gotunnel::testing;

namespace {

using bytes = std::vector<std::byte>;
using use = record_cipher::use;

bytes seal(record_cipher& by, bytes_view plain, record_type type = record_type::application_data) {
  bytes out(plain.size() + record_cipher::overhead);
  out.resize(by.seal(type, plain, out));
  return out;
}

std::string open(record_cipher& by, bytes_view record) {
  bytes to(record_cipher::opened_size(record.size()));
  const auto opened = by.open(record, to);
  return opened ? std::string(as_text(bytes_view(to).first(opened->size))) : opened.error().message();
}

} // namespace

BOOST_AUTO_TEST_SUITE(record_cipher_of_one_direction)

// RFC 8448 3, "Simple 1-RTT Handshake": the client's only record of application data.
BOOST_AUTO_TEST_CASE(the_example_of_rfc_8448) {
  const bytes secret = bytes_of_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
  bytes plain(50);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<std::byte>(i);
  record_cipher client(use::seal, suite_of(aes_128_gcm_sha256), secret);
  BOOST_TEST(
      to_hex(seal(client, plain)) ==
      "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b"
      "62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4");
  // The next record is its alert: close_notify.
  BOOST_TEST(to_hex(seal(client, bytes_of_hex("0100"), record_type::alert)) ==
             "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3");
}

BOOST_AUTO_TEST_CASE(records_of_every_suite_open_in_their_order_and_across_an_update) {
  for (const std::uint16_t suite : {aes_128_gcm_sha256, aes_256_gcm_sha384, chacha20_poly1305_sha256}) {
    const bytes secret = noise(secret_size(suite), suite);
    record_cipher seals(use::seal, suite_of(suite), secret);
    record_cipher opens(use::open, suite_of(suite), secret);
    for (const char* word : {"one", "", "three"})
      BOOST_TEST(open(opens, seal(seals, as_bytes(std::string_view(word)))) == word);
    seals.update();
    opens.update();
    BOOST_TEST(open(opens, seal(seals, as_bytes("four"))) == "four");
    seals.update();
    BOOST_TEST(open(opens, seal(seals, as_bytes("too early"))) ==
               make_error_code(errc::tls_failure).message());
  }
}

BOOST_AUTO_TEST_CASE(a_record_counts_once_and_at_its_place) {
  const bytes secret = noise(32, 1);
  record_cipher seals(use::seal, suite_of(aes_128_gcm_sha256), secret);
  record_cipher opens(use::open, suite_of(aes_128_gcm_sha256), secret);
  const bytes first = seal(seals, as_bytes("first"));
  const bytes second = seal(seals, as_bytes("second"));
  BOOST_TEST(first != second);
  BOOST_TEST(open(opens, first) == "first");
  BOOST_TEST(open(opens, first) == make_error_code(errc::tls_failure).message());
}

BOOST_AUTO_TEST_CASE(padding_is_taken_off) {
  const bytes secret = noise(32, 1);
  record_cipher opens(use::open, suite_of(aes_128_gcm_sha256), secret);
  record_cipher seals(use::seal, suite_of(aes_128_gcm_sha256), secret);
  // What a peer pads looks to us like text whose type is 0.
  bytes padded = bytes_of_hex("616263 17 000000");
  BOOST_TEST(open(opens, seal(seals, padded, record_type{0})) == "abc");
  const bytes nothing(100);
  bytes to(200);
  const auto opened = opens.open(seal(seals, nothing, record_type{0}), to);
  BOOST_REQUIRE(opened.has_value());
  BOOST_TEST((opened->type == record_type{0}));
  BOOST_TEST(opened->size == 0u);
}

BOOST_AUTO_TEST_CASE(a_record_too_short_for_its_tag) {
  record_cipher opens(use::open, suite_of(aes_128_gcm_sha256), noise(32, 1));
  for (std::size_t size = 0; size < record_cipher::overhead; ++size)
    BOOST_TEST(opens.open(bytes(size), {}).error() == errc::tls_failure);
}

BOOST_AUTO_TEST_SUITE_END()
