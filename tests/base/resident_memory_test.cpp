#include "gotunnel/base/resident_memory.hpp"

#include "gotunnel/base/block_pool.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <thread>
#include <vector>

using namespace gotunnel;

namespace {

// Sanitizers bring an allocator of their own, which does not tell how much of its memory is free.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool asks_the_heap = false;
#else
constexpr bool asks_the_heap = true;
#endif

/// Resident pages of files: second and third number of proc_pid_statm(5) are resident and shared.
long resident_file_pages() {
  std::ifstream statm("/proc/self/statm");
  long total = 0, resident = 0, shared = 0;
  statm >> total >> resident >> shared;
  return shared;
}

} // namespace

BOOST_AUTO_TEST_SUITE(resident_memory)

BOOST_AUTO_TEST_CASE(code_that_ran_once_is_given_back_and_comes_back) {
  const block kept(block_size::large);
  kept.span()[0] = std::byte{7};
  const long before = resident_file_pages();
  return_unused_memory();
  BOOST_TEST(resident_file_pages() < before);
  BOOST_TEST((kept.span()[0] == std::byte{7}));
  return_unused_memory(); // with nothing left to return
  const block again(block_size::huge);
  BOOST_TEST(again.span().size() == static_cast<std::size_t>(block_size::huge));
}

BOOST_AUTO_TEST_CASE(many_who_ask_are_served_by_one_keeper_once_in_a_while) {
  memory_keeper keeper;
  // A thread of its own: how long ago a thread has emptied its pool is remembered by thread.
  std::thread([&keeper] {
    const time_point start = time_point{1h};
    for (int i = 0; i < 1000; ++i) BOOST_TEST(keeper.rest(start, start + 1s));
    BOOST_TEST(keeper.times() == 1U);
    // Work that came later has to wait until the keeper may look again.
    for (int i = 0; i < 1000; ++i) BOOST_TEST(!keeper.rest(start + 2s, start + 6s));
    BOOST_TEST(keeper.times() == 1U);
    // A heap with free room in it.
    std::vector<std::vector<char>> used(1000, std::vector<char>(2000));
    for (std::size_t i = 0; i < used.size(); i += 2) std::vector<char>().swap(used[i]);
    for (int i = 0; i < 1000; ++i) BOOST_TEST(keeper.rest(start + 2s, start + 11s));
    if (asks_the_heap) BOOST_TEST(keeper.times() == 2U);
  }).join();
}

BOOST_AUTO_TEST_SUITE_END()
