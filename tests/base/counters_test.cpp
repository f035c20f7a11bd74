#include "gotunnel/base/counters.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <thread>
#include <vector>

namespace gotunnel {

BOOST_AUTO_TEST_SUITE(base_counters)

// They are the process's: only differences mean something here.
BOOST_AUTO_TEST_CASE(they_add_up_from_any_thread) {
  const std::uint64_t before = counters::value(counter::proofs_failed);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([] {
        for (int n = 0; n < 10'000; ++n) counters::add(counter::proofs_failed);
      });
  }
  counters::add(counter::proofs_failed, 5);
  BOOST_TEST(counters::value(counter::proofs_failed) == before + 40'005);
}

BOOST_AUTO_TEST_CASE(what_is_held_counts_for_as_long_as_it_is_there) {
  const std::uint64_t before = counters::value(counter::visitors);
  {
    const counters::held one(counter::visitors);
    const counters::held another(counter::visitors);
    BOOST_TEST(counters::value(counter::visitors) == before + 2);
  }
  BOOST_TEST(counters::value(counter::visitors) == before);
}

BOOST_AUTO_TEST_CASE(each_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (const counter each : counters::all()) names.insert(name_of(each));
  BOOST_TEST(names.size() == counter_count);
  BOOST_TEST(!names.contains(""));
  BOOST_TEST(name_of(counter::bytes_out) == "bytes_out");
  BOOST_TEST(name_of(counter::strangers_crowded) == "strangers_crowded");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel
