#include "gotunnel/base/clock.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;

BOOST_AUTO_TEST_SUITE(clock_test)

BOOST_AUTO_TEST_CASE(a_date_is_written_for_people_in_utc) {
  using namespace std::chrono;
  BOOST_TEST(describe(wall_time{}) == "1970-01-01 00:00:00 UTC");
  BOOST_TEST(describe(sys_days(2027y / 1 / 31) + 23h + 59min + 59s) == "2027-01-31 23:59:59 UTC");
  BOOST_TEST(describe(sys_days(2024y / 2 / 29) + 1s) == "2024-02-29 00:00:01 UTC");
  BOOST_TEST(describe(sys_days(2106y / 2 / 8)) == "2106-02-08 00:00:00 UTC"); // beyond 32 bits
}

BOOST_AUTO_TEST_CASE(never_is_later_than_all) {
  BOOST_CHECK(never > time_point(std::chrono::steady_clock::now() + std::chrono::years(100)));
}

BOOST_AUTO_TEST_SUITE_END()
