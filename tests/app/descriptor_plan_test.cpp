#include "gotunnel/app/descriptor_plan.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel::app;

BOOST_AUTO_TEST_SUITE(descriptor_plan_test)

BOOST_AUTO_TEST_CASE(visitors_strangers_and_the_rest_have_their_parts) {
  server_config config;
  config.workers = 2;
  const auto plan = plan_descriptors(1024, config);
  BOOST_TEST(plan.visitors.all == 768U);
  BOOST_TEST(plan.visitors.descriptors == 896);
  BOOST_TEST(plan.strangers.all == 64U);
  BOOST_TEST(plan.strangers.of_a_source == 32U);
  BOOST_TEST(plan.trouble.empty());
}

BOOST_AUTO_TEST_CASE(where_there_are_plenty_strangers_have_what_they_always_had) {
  server_config config;
  config.workers = 2;
  const auto plan = plan_descriptors(65'536, config);
  BOOST_TEST(plan.strangers.all == 512U);
  BOOST_TEST(plan.strangers.of_a_source == 64U);
}

BOOST_AUTO_TEST_CASE(what_was_asked_for_counts_as_far_as_there_is_room) {
  server_config config;
  config.max_visitors = 100;
  config.max_visitors_per_address = 7;
  auto plan = plan_descriptors(1024, config);
  BOOST_TEST(plan.visitors.all == 100U);
  BOOST_TEST(plan.visitors.of_an_address == 7U);
  BOOST_TEST(plan.trouble.empty());
  config.max_visitors = 5000;
  plan = plan_descriptors(1024, config);
  BOOST_TEST(plan.visitors.all == 768U);
  BOOST_TEST(
      plan.trouble.find("-max-visitors \"5000\": the limit of open files (1024) leaves room for 768") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
