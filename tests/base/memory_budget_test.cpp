#include "gotunnel/base/memory_budget.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <thread>
#include <vector>

namespace gotunnel {
namespace {

constexpr std::uint64_t mib = 1024 * 1024;

/// Takes in steps what it may have; how much that was.
std::uint64_t fill(memory_budget::share& who, std::uint64_t has = 0) {
  while (has < who.allowance()) who.report(has += 64 * 1024);
  return has;
}

} // namespace

BOOST_AUTO_TEST_SUITE(base_memory_budget)

BOOST_AUTO_TEST_CASE(without_a_limit_there_is_none) {
  memory_budget budget;
  memory_budget::share one(budget);
  one.report(1000 * mib);
  BOOST_TEST(budget.waiting() == 1000 * mib);
  BOOST_TEST(one.allowance() == memory_budget::unlimited);
  BOOST_TEST(!one.tight());
}

BOOST_AUTO_TEST_CASE(something_is_left_for_a_newcomer) {
  memory_budget budget;
  budget.set_limit(120 * mib);
  std::deque<memory_budget::share> all;
  std::uint64_t sum = 0;
  for (const std::uint64_t expected : {120U, 60U, 40U, 30U}) {
    all.emplace_back(budget);
    if (all.size() == 1) {
      sum += fill(all.back()); // it gets its equal part, all of it: nobody else is there
      BOOST_TEST(sum >= expected * mib);
      continue;
    }
    // As much as its equal part, whatever the first one has.
    const std::uint64_t has = fill(all.back());
    BOOST_TEST(has >= expected * mib);
    BOOST_TEST(has < (expected + 1) * mib);
    sum += has;
  }
  BOOST_TEST(budget.waiting() == sum);
}

BOOST_AUTO_TEST_CASE(who_has_more_than_its_part_is_held_when_little_is_free) {
  memory_budget budget;
  budget.set_limit(100 * mib);
  memory_budget::share greedy(budget);
  memory_budget::share modest(budget);
  memory_budget::share idle(budget);
  const std::uint64_t has = fill(greedy);
  // Half, although its equal part is a third.
  BOOST_TEST(has >= 50 * mib);
  BOOST_TEST(has < 51 * mib);
  BOOST_TEST(!modest.tight() == (has <= 50 * mib));
  modest.report(30 * mib);
  BOOST_TEST(greedy.tight());
  BOOST_TEST(greedy.allowance() == 100 * mib / 3); // less than it has: it is not read on
  BOOST_TEST(modest.allowance() > 30 * mib);       // and the modest one is
  greedy.report(0);
  BOOST_TEST(!greedy.tight());
  BOOST_TEST(greedy.allowance() == 70 * mib);
}

BOOST_AUTO_TEST_CASE(small_changes_are_kept_until_they_are_worth_it) {
  memory_budget budget;
  memory_budget::share one(budget);
  one.report(1000);
  BOOST_TEST(budget.waiting() == 0U);
  one.report(64 * 1024);
  BOOST_TEST(budget.waiting() == 64U * 1024);
  one.report(1);
  BOOST_TEST(budget.waiting() == 64U * 1024);
  one.report(0);
  BOOST_TEST(budget.waiting() == 0U);
  // Where the parts are small, so are the batches.
  budget.set_limit(mib);
  one.report(64 * 1024);
  std::deque<memory_budget::share> many;
  for (int i = 0; i < 99; ++i) many.emplace_back(budget);
  many.front().report(1000);
  BOOST_TEST(budget.waiting() == 64U * 1024 + 1000);
}

BOOST_AUTO_TEST_CASE(who_leaves_takes_all_along) {
  memory_budget budget;
  budget.set_limit(100 * mib);
  memory_budget::share stays(budget);
  {
    memory_budget::share leaves(budget);
    leaves.report(40 * mib);
    BOOST_TEST(stays.allowance() == 60 * mib);
  }
  BOOST_TEST(budget.waiting() == 0U);
  BOOST_TEST(stays.allowance() == 100 * mib);
}

BOOST_AUTO_TEST_CASE(threads_share_one_number) {
  memory_budget budget;
  budget.set_limit(100 * mib);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&budget] {
        memory_budget::share own(budget);
        for (std::uint64_t n = 0; n < 10'000; ++n) own.report(n % 100 * mib / 50);
      });
  }
  BOOST_TEST(budget.waiting() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel
