#include "gotunnel/wire/json_object.hpp"

#include "support/print_error.hpp"

#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <limits>

namespace gotunnel::wire {
namespace {

boost::json::value value_of(std::string_view text) {
  auto object = parse_json_object("{\"v\":" + std::string{text} + "}");
  BOOST_TEST_REQUIRE(object.has_value(), text);
  return object->at("v");
}

} // namespace

BOOST_AUTO_TEST_SUITE(wire_json_object)

BOOST_AUTO_TEST_CASE(integers_and_nothing_like_them) {
  BOOST_TEST((as_unsigned(value_of("0")) == 0u));
  BOOST_TEST((as_unsigned(value_of("9223372036854775808")) == 1ull << 63));
  BOOST_TEST((as_unsigned(value_of("18446744073709551615")) == std::numeric_limits<std::uint64_t>::max()));
  BOOST_TEST((as_port(value_of("65535")) == 65535));
  BOOST_TEST((as_port(value_of("65536")) == std::nullopt));
  for (const std::string_view text :
       {"-1", "18446744073709551616", "1.0", "1e0", "\"1\"", "null", "true", "[]", "{}"}) {
    BOOST_TEST((as_unsigned(value_of(text)) == std::nullopt), text);
    BOOST_TEST((as_port(value_of(text)) == std::nullopt), text);
  }
}

BOOST_AUTO_TEST_CASE(the_outermost_object_counts_as_depth_one) {
  const auto nested = [](std::size_t depth) {
    return "{\"v\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  BOOST_TEST(parse_json_object(nested(json_depth_limit)).has_value());
  BOOST_TEST(parse_json_object(nested(json_depth_limit + 1)).error() == errc::broken_frame);
}

BOOST_AUTO_TEST_CASE(of_two_members_of_one_name_the_later_counts) {
  const auto object = parse_json_object(R"({"a":1,"b":2,"a":3})");
  BOOST_TEST_REQUIRE(object.has_value());
  BOOST_TEST((as_unsigned(object->at("a")) == 3u));
}

BOOST_AUTO_TEST_CASE(a_huge_number_is_no_crash) {
  (void)parse_json_object("{\"v\":" + std::string(1 << 20, '9') + "}");
  (void)parse_json_object("{\"v\":0." + std::string(1 << 20, '0') + "1e-2147483648}");
  BOOST_TEST(parse_json_object("{\"v\":1e99999999999999999999}").has_error());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
