#include "gotunnel/reverse/segment_choice.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace gotunnel;
using gotunnel::reverse::segment_choice;

BOOST_AUTO_TEST_SUITE(segment_choice_test)

BOOST_AUTO_TEST_CASE(after_two_carriers_for_nothing_segments_become_smaller_and_in_the_end_large_again) {
  const time_point now{};
  segment_choice choice;
  std::vector<int> sizes;
  for (int carrier = 0; carrier < 7; ++carrier) {
    sizes.push_back(choice.size(now));
    choice.lost(false, now);
  }
  BOOST_TEST(sizes == (std::vector<int>{0, 0, 1200, 1200, 536, 536, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_helped_is_kept_for_an_hour) {
  const time_point now{};
  segment_choice choice;
  choice.lost(false, now);
  choice.lost(true, now);
  choice.lost(false, now);
  BOOST_TEST(choice.size(now) == 0); // not in a row
  choice.lost(false, now);
  BOOST_TEST(choice.size(now) == 1200);
  choice.lost(true, now + 59min);
  BOOST_TEST(choice.size(now + 59min) == 1200);
  BOOST_TEST(choice.size(now + 1h) == 0);
  for (int carrier = 0; carrier < 2; ++carrier) choice.lost(false, now + 2h);
  BOOST_TEST(choice.size(now + 2h) == 1200); // it begins anew
}

BOOST_AUTO_TEST_CASE(what_a_handshake_needed_is_kept) {
  const time_point now{};
  segment_choice choice;
  choice.worked(0, now);
  BOOST_TEST(choice.size(now) == 0);
  choice.worked(536, now);
  BOOST_TEST(choice.size(now) == 536);
}

BOOST_AUTO_TEST_SUITE_END()
