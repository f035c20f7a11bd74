#include "gotunnel/base/rate_limit.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;

BOOST_AUTO_TEST_SUITE(rate_limit_test)

BOOST_AUTO_TEST_CASE(one_a_period_passes_and_the_rest_is_counted) {
  rate_limit limit(5s);
  const time_point start{};
  BOOST_TEST(limit.allow(start).value() == 0U); // the first, also at the beginning of time
  BOOST_TEST(!limit.allow(start).has_value());
  BOOST_TEST(!limit.allow(start + 4999ms).has_value());
  BOOST_TEST(limit.allow(start + 5s).value() == 2U);
  BOOST_TEST(!limit.allow(start + 9s).has_value());
  BOOST_TEST(limit.allow(start + 60s).value() == 1U);
  BOOST_TEST(limit.allow(start + 120s).value() == 0U);
}

BOOST_AUTO_TEST_CASE(a_burst_passes_after_a_quiet_time_and_then_one_a_period) {
  rate_limit limit(1s, 3);
  const time_point start{};
  for (int i = 0; i < 3; ++i) BOOST_TEST(limit.allow(start).value() == 0U);
  BOOST_TEST(!limit.allow(start).has_value());
  BOOST_TEST(!limit.allow(start + 999ms).has_value());
  BOOST_TEST(limit.allow(start + 1s).value() == 2U);
  BOOST_TEST(!limit.allow(start + 1s).has_value());
  for (int i = 0; i < 2; ++i) BOOST_TEST(limit.allow(start + 3s).has_value());
  BOOST_TEST(!limit.allow(start + 3s).has_value());
  for (int i = 0; i < 3; ++i) BOOST_TEST(limit.allow(start + 60s).has_value());
  BOOST_TEST(!limit.allow(start + 60s).has_value());
}

BOOST_AUTO_TEST_CASE(without_a_period_everything_passes) {
  rate_limit limit(0s);
  const time_point now{};
  for (int i = 0; i < 3; ++i) BOOST_TEST(limit.allow(now).value() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
