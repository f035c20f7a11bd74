#include "gotunnel/app/byte_size.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::app {

BOOST_AUTO_TEST_SUITE(byte_size_test)

BOOST_AUTO_TEST_CASE(sizes_are_read) {
  constexpr std::uint64_t kib = 1024;
  const std::pair<const char*, std::uint64_t> rows[] = {{"0", 0},
                                                        {"65536", 65536},
                                                        {"1B", 1},
                                                        {"512K", 512 * kib},
                                                        {"512M", 512 * kib * kib},
                                                        {"2G", 2 * kib * kib * kib},
                                                        {"1.5G", 3 * kib * kib * kib / 2},
                                                        {"1GiB", kib * kib * kib},
                                                        {"1MB", kib * kib},
                                                        {"1T", kib * kib * kib * kib}};
  for (const auto& [text, bytes] : rows) BOOST_TEST(parse_size(text).value_or(77) == bytes, text);
  for (const char* text : {"", "M", "-1", "-0", "1 M", "1m", "1Mi", "1MiBs", "1e3", "0x10", "inf", "nan",
                           "99999999T", "1,5G", "+1"})
    BOOST_TEST(!parse_size(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(sizes_are_written_for_people) {
  BOOST_TEST(describe_size(0) == "0 B");
  BOOST_TEST(describe_size(1023) == "1023 B");
  BOOST_TEST(describe_size(1024) == "1.0 KiB");
  BOOST_TEST(describe_size(1536 * 1024) == "1.5 MiB");
  BOOST_TEST(describe_size(std::uint64_t{5} << 50) == "5120.0 TiB");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::app
