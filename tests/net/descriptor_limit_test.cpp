#include "gotunnel/net/descriptor_limit.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>

using namespace gotunnel::net;

BOOST_AUTO_TEST_SUITE(descriptor_limit)

BOOST_AUTO_TEST_CASE(the_soft_limit_is_raised_to_the_hard_one) {
  rlimit before{};
  BOOST_TEST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit low{256, before.rlim_max};
  BOOST_TEST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  BOOST_TEST(raise_descriptor_limit() == before.rlim_max);
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  BOOST_TEST(now.rlim_cur == before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

BOOST_AUTO_TEST_CASE(visitors_leave_a_quarter_within_bounds) {
  struct share {
    std::size_t limit, visitors;
  };
  for (const auto& [limit, visitors] :
       {share{1024, 768}, share{64, 16}, share{20'000, 17'952}, share{1'048'576, 1'046'528}, share{10, 1}}) {
    BOOST_TEST(descriptors_for_visitors(limit) == visitors);
    BOOST_TEST(descriptor_reserve(limit) <= limit);
  }
}

BOOST_AUTO_TEST_SUITE_END()
