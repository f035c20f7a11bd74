#include "gotunnel/wire/backoff.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

namespace gotunnel::wire {

BOOST_AUTO_TEST_SUITE(wire_backoff)

BOOST_AUTO_TEST_CASE(doubles_up_to_the_cap) {
  backoff delays{500ms, 6s};
  for (const duration whole :
       {duration{500ms}, duration{1s}, duration{2s}, duration{4s}, duration{6s}, duration{6s}})
    BOOST_TEST((delays.next(1.0) == whole));
  delays.reset();
  for (const duration half :
       {duration{250ms}, duration{500ms}, duration{1s}, duration{2s}, duration{3s}, duration{3s}})
    BOOST_TEST((delays.next(0.0) == half));
  delays.reset();
  BOOST_TEST((delays.next(0.5) == 375ms));
}

BOOST_AUTO_TEST_CASE(starts_at_half_a_second_unless_told_otherwise) {
  BOOST_TEST((backoff{}.next(1.0) == 500ms));
}

BOOST_AUTO_TEST_CASE(never_above_the_cap_nor_below_zero) {
  const duration longest = duration::max();
  const std::pair<duration, duration> table[] = {{10s, 1s},      {0s, 0s},   {-1s, 5s},         {1s, -5s},
                                                 {1ns, longest}, {3ns, 7ns}, {longest, longest}};
  const double odd[] = {0.0,
                        0.3,
                        0.999999999999,
                        1.0,
                        -7.0,
                        7.0,
                        std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::quiet_NaN()};
  for (const auto& [first, cap] : table) {
    for (const double random01 : odd) {
      backoff delays{first, cap};
      for (int i = 0; i < 200; ++i) {
        const duration delay = delays.next(random01);
        BOOST_REQUIRE(delay >= duration::zero());
        BOOST_REQUIRE(delay <= std::max(cap, duration::zero()));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
