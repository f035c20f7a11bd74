#include "gotunnel/base/bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

using namespace gotunnel;

namespace {

std::array<std::byte, 8> counting() {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i + 0xf8);
  return bytes;
}

} // namespace

BOOST_AUTO_TEST_SUITE(base_bytes)

BOOST_AUTO_TEST_CASE(integers_are_read_in_the_stated_order) {
  const auto bytes =
      counting(); // f8 f9 fa fb fc fd fe ff: every byte has its top bit set, so a sign would show
  BOOST_TEST(load_le16(bytes) == 0xf9f8);
  BOOST_TEST(load_be16(bytes) == 0xf8f9);
  BOOST_TEST(load_le32(bytes) == 0xfbfaf9f8U);
  BOOST_TEST(load_be32(bytes) == 0xf8f9fafbU);
  BOOST_TEST(load_be64(bytes) == 0xf8f9fafbfcfdfeffULL);
}

BOOST_AUTO_TEST_CASE(what_is_stored_is_loaded_and_nothing_beyond_is_touched) {
  std::array<std::byte, 5> bytes{};
  bytes[4] = std::byte{0x5a};
  store_le32(bytes, 0x01020304U);
  BOOST_TEST(to_hex(bytes) == "040302015a");
  store_be32(bytes, 0x01020304U);
  BOOST_TEST(to_hex(bytes) == "010203045a");
  store_le16(bytes, 0xbeef);
  BOOST_TEST(load_le16(bytes) == 0xbeef);
  store_be16(bytes, 0xbeef);
  BOOST_TEST(to_hex(bytes) == "beef03045a");

  std::array<std::byte, 8> wide{};
  store_be64(wide, 0x0102030405060708ULL);
  BOOST_TEST(load_be64(wide) == 0x0102030405060708ULL);
}

BOOST_AUTO_TEST_CASE(integers_can_be_read_while_compiling) {
  constexpr std::array<std::byte, 2> bytes{std::byte{1}, std::byte{2}};
  static_assert(load_be16(bytes) == 0x0102);
  static_assert(load_le16(bytes) == 0x0201);
}

BOOST_AUTO_TEST_CASE(text_and_bytes_are_views_of_each_other) {
  const std::string_view text("a\0b", 3);
  BOOST_TEST(as_bytes(text).size() == 3U);
  BOOST_TEST(as_text(as_bytes(text)) == text);
  BOOST_TEST(as_text(bytes_view{}).empty());
}

BOOST_AUTO_TEST_CASE(hexadecimal_goes_both_ways) {
  std::array<std::byte, 4> bytes{};
  BOOST_TEST(from_hex("00fFA05c", bytes));
  BOOST_TEST(to_hex(bytes) == "00ffa05c");
  BOOST_TEST(to_hex(bytes_view{}).empty());
  BOOST_TEST(from_hex("", bytes_span{}));
}

BOOST_AUTO_TEST_CASE(what_is_not_hexadecimal_of_that_length_is_refused) {
  std::array<std::byte, 2> bytes{};
  for (const char* text :
       {"", "0", "000", "00000", "000000", "00 0", "0x00", "000g", "00:0", "-001", "000/", "000@", "000`"})
    BOOST_TEST(!from_hex(text, bytes), text);
}

BOOST_AUTO_TEST_SUITE_END()
