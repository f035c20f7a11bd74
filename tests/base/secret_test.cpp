#include "gotunnel/base/secret.hpp"

#include <boost/test/unit_test.hpp>

#include <fmt/format.h>

#include <array>
#include <concepts>
#include <memory>
#include <new>
#include <ostream>
#include <string>

using namespace gotunnel;

namespace {

template <class T>
concept streamable = requires(std::ostream& out, const T& value) {
  out << value;
};

// A secret in a log line must fail to compile.
static_assert(!streamable<secret_text> && !streamable<secret_key<32>>);
static_assert(!fmt::is_formattable<secret_text>::value && !fmt::is_formattable<secret_key<32>>::value);
static_assert(!std::convertible_to<secret_text, std::string_view>);

} // namespace

BOOST_AUTO_TEST_SUITE(base_secret)

BOOST_AUTO_TEST_CASE(equality_is_of_all_bytes) {
  const std::string_view one = "correct horse";
  BOOST_TEST(equal_in_constant_time(as_bytes(one), as_bytes("correct horse")));
  BOOST_TEST(equal_in_constant_time(bytes_view{}, bytes_view{}));
  BOOST_TEST(!equal_in_constant_time(as_bytes(one), as_bytes("correct hors")));
  BOOST_TEST(!equal_in_constant_time(as_bytes(one), bytes_view{}));
  for (std::size_t i = 0; i < one.size(); ++i) {
    std::string other(one);
    other[i] = static_cast<char>(other[i] ^ 0x80);
    BOOST_TEST(!equal_in_constant_time(as_bytes(one), as_bytes(other)), "differs at " << i);
  }
}

BOOST_AUTO_TEST_CASE(a_key_begins_as_zeros_and_is_wiped_in_the_end) {
  // Placed in memory of the test's own, which outlives the key and may be looked at afterwards.
  alignas(secret_key<16>) std::array<std::byte, sizeof(secret_key<16>)> memory{};
  memory.fill(std::byte{0xaa});
  auto* key = new (memory.data()) secret_key<16>;
  BOOST_TEST(to_hex(key->view()) == std::string(32, '0'));
  BOOST_TEST(from_hex("000102030405060708090a0b0c0d0e0f", key->span()));
  std::destroy_at(key);
  BOOST_TEST(to_hex(memory) == std::string(32, '0'));
}

BOOST_AUTO_TEST_CASE(wiping_clears_exactly_what_it_is_told) {
  std::array<char, 6> memory{'s', 'e', 'c', 'r', 'e', 't'};
  wipe(memory.data() + 1, 4);
  BOOST_TEST(std::string_view(memory.data(), memory.size()) == std::string_view("s\0\0\0\0t", 6));
  wipe(nullptr, 0);
}

BOOST_AUTO_TEST_CASE(a_text_is_revealed_only_when_asked) {
  BOOST_TEST(secret_text().empty());
  const secret_text typed("hunter2");
  const secret_text copy = typed;
  BOOST_TEST(!typed.empty());
  BOOST_TEST(copy.reveal() == "hunter2");
}

BOOST_AUTO_TEST_CASE(copies_of_a_text_are_one) {
  const secret_text typed("hunter2");
  const secret_text copy = typed;
  BOOST_TEST(static_cast<const void*>(copy.reveal().data()) ==
             static_cast<const void*>(typed.reveal().data()));
}

BOOST_AUTO_TEST_CASE(where_a_text_was_taken_from_nothing_is_left) {
  std::string from = "hunter2"; // so short that the string keeps it in itself
  const char* const there = from.data();
  const auto taken = secret_text::take(std::move(from));
  BOOST_TEST(taken.reveal() == "hunter2");
  BOOST_TEST(std::string_view(there, 7) == std::string_view("\0\0\0\0\0\0\0", 7));
}

BOOST_AUTO_TEST_SUITE_END()
