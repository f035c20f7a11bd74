#include "gotunnel/base/block_pool.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

using namespace gotunnel;

BOOST_AUTO_TEST_SUITE(base_block_pool)

BOOST_AUTO_TEST_CASE(an_empty_block_is_nothing) {
  const block none;
  BOOST_TEST(!none);
  BOOST_TEST(none.size() == 0U);
  BOOST_TEST(none.span().empty());
}

BOOST_AUTO_TEST_CASE(a_block_has_the_size_it_was_asked_for_and_is_writable_to_its_end) {
  for (const auto size : {block_size::small, block_size::medium, block_size::large, block_size::huge}) {
    const block memory(size);
    BOOST_TEST(static_cast<bool>(memory));
    BOOST_TEST(memory.size() == static_cast<std::size_t>(size));
    BOOST_TEST(memory.span().size() == memory.size());
    std::ranges::fill(memory.span(), std::byte{0x11});
  }
}

BOOST_AUTO_TEST_CASE(what_is_given_back_is_lent_again) {
  const std::byte* first = nullptr;
  {
    const block memory(block_size::medium);
    first = memory.span().data();
  }
  const block again(block_size::medium);
  BOOST_TEST(again.span().data() == first);
  const block other(block_size::medium);
  BOOST_TEST(other.span().data() != first);
}

BOOST_AUTO_TEST_CASE(a_moved_block_has_one_holder) {
  block from(block_size::small);
  const std::byte* const data = from.span().data();
  block to(std::move(from));
  BOOST_TEST(!from); // NOLINT(bugprone-use-after-move): that it is empty is the promise
  BOOST_TEST(to.span().data() == data);

  block target(block_size::large);
  target = std::move(to);
  BOOST_TEST(target.span().data() == data);
  BOOST_TEST(target.size() == static_cast<std::size_t>(block_size::small));

  block& same = target;
  target = std::move(same);
  BOOST_TEST(target.span().data() == data);
}

BOOST_AUTO_TEST_CASE(more_blocks_than_a_pool_keeps_are_lent_and_taken_back) {
  // Beyond what is kept they are freed; the sanitizers would see one lost or freed twice.
  std::vector<block> many;
  for (int i = 0; i < 200; ++i) many.emplace_back(i % 2 == 0 ? block_size::small : block_size::medium);
  std::vector<const std::byte*> places;
  for (const block& each : many) places.push_back(each.span().data());
  std::ranges::sort(places);
  BOOST_TEST((std::ranges::adjacent_find(places) == places.end()));
}

BOOST_AUTO_TEST_CASE(each_thread_has_a_pool_of_its_own) {
  const std::byte* ours = nullptr;
  {
    const block memory(block_size::large);
    ours = memory.span().data();
  }
  const std::byte* theirs = nullptr;
  std::thread other([&] {
    const block memory(block_size::large);
    theirs = memory.span().data();
  });
  other.join();
  BOOST_TEST(theirs != nullptr);
  BOOST_TEST(theirs != ours); // ours still rests in this thread's pool
}

BOOST_AUTO_TEST_CASE(the_pool_can_be_emptied_while_blocks_are_lent) {
  const block kept(block_size::large);
  kept.span()[0] = std::byte{7};
  { const block spare(block_size::huge); }
  return_pooled_blocks();
  return_pooled_blocks(); // with nothing left to return
  BOOST_TEST((kept.span()[0] == std::byte{7}));
  const block again(block_size::huge);
  BOOST_TEST(again.span().size() == static_cast<std::size_t>(block_size::huge));
}

BOOST_AUTO_TEST_SUITE_END()
