#include "gotunnel/reverse/server_memory.hpp"

#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

using namespace gotunnel::testing;
using gotunnel::reverse::server_memory;

namespace {

const std::string pin = "sha256:" + std::string(64, 'a');

} // namespace

BOOST_AUTO_TEST_SUITE(server_memory_test)

BOOST_AUTO_TEST_CASE(it_is_kept_by_ca) {
  const scratch_directory directory;
  const server_memory memory(directory.path(), pin);
  BOOST_TEST(!memory.native());
  BOOST_TEST(memory.remember_native() == "");
  BOOST_TEST(memory.native());
  BOOST_TEST(memory.remember_native() == ""); // another process was faster
  BOOST_TEST(server_memory(directory.path(), pin).native());
  BOOST_TEST(!server_memory(directory.path(), "sha256:" + std::string(64, 'b')).native());
  struct stat facts {};
  BOOST_TEST(::stat(memory.file().c_str(), &facts) == 0);
  BOOST_TEST((facts.st_mode & 07777) == 0600U);
}

BOOST_AUTO_TEST_CASE(a_link_in_its_place_counts_and_is_not_followed) {
  const scratch_directory directory;
  const server_memory memory(directory.path(), pin);
  std::filesystem::create_symlink(directory.path() / "elsewhere", memory.file());
  BOOST_TEST(memory.native());
  BOOST_TEST(memory.remember_native() == "");
  BOOST_TEST(!std::filesystem::exists(directory.path() / "elsewhere"));
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_not_there_is_named) {
  const scratch_directory directory;
  const server_memory memory(directory.path() / "nowhere", pin);
  BOOST_TEST(!memory.native());
  BOOST_TEST(memory.remember_native().find("cannot create " + directory.path().string()) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
