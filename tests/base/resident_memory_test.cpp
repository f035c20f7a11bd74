#include "gotunnel/base/resident_memory.hpp"

#include "gotunnel/base/block_pool.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

using namespace gotunnel;

namespace {

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

BOOST_AUTO_TEST_SUITE_END()
