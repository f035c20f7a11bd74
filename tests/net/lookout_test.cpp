#include "gotunnel/net/lookout.hpp"

#include "support/run.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;

BOOST_AUTO_TEST_SUITE(lookout_test)

BOOST_AUTO_TEST_CASE(it_keeps_the_context_awake_for_a_moment_and_ends_by_itself) {
  asio::io_context context(1);
  {
    net::lookout lookout(context.get_executor());
    const time_point now = std::chrono::steady_clock::now();
    for (int i = 0; i <= brisk_talk::many; ++i) {
      BOOST_TEST(context.poll() == 0U);
      context.restart();
      lookout.passed(64, now);
    }
  } // dropped meanwhile
  BOOST_TEST(context.run_for(10s) >= 1U);
  BOOST_TEST(context.stopped());
}

BOOST_AUTO_TEST_SUITE_END()
