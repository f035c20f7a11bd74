#include "gotunnel/net/file.hpp"

#include "gotunnel/base/clock.hpp"

#include "support/print_error.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::net;
using namespace gotunnel::testing;
namespace cause = boost::system::errc;

BOOST_FIXTURE_TEST_SUITE(file, scratch_directory)

BOOST_AUTO_TEST_CASE(the_limit_is_exact) {
  const auto name = path() / "a";
  spill(name, "12345");
  BOOST_TEST(read_file(name, 5)->bytes == "12345");
  BOOST_TEST(read_file(name, 4).error() == cause::file_too_large);
  BOOST_TEST(*read_stream(name, 5, 1s) == "12345");
  BOOST_TEST(read_stream(name, 4, 1s).error() == cause::file_too_large);
  spill(name, "");
  BOOST_TEST(read_file(name, 0)->bytes == "");
  BOOST_TEST(*read_stream(name, 0, 1s) == "");
}

BOOST_AUTO_TEST_CASE(only_regular_files_are_read_and_nothing_is_waited_for) {
  BOOST_TEST(read_file(path() / "absent", 10).error() == cause::no_such_file_or_directory);
  BOOST_TEST(read_file(path(), 10).error() == cause::is_a_directory);
  ::mkfifo((path() / "pipe").c_str(), 0600);
  BOOST_TEST(read_file(path() / "pipe", 10).error() == cause::invalid_argument);
  BOOST_TEST(read_file("/dev/zero", 10).error() == cause::invalid_argument);
  std::filesystem::create_symlink("loop", path() / "loop");
  BOOST_TEST(read_file(path() / "loop", 10).error() == cause::too_many_symbolic_link_levels);
}

BOOST_AUTO_TEST_CASE(symbolic_links_are_read_through) {
  spill(path() / "target", "t");
  std::filesystem::create_symlink("target", path() / "link");
  BOOST_TEST(read_file(path() / "link", 10)->bytes == "t");
}

BOOST_AUTO_TEST_CASE(a_pipe_is_read_to_its_end_whoever_comes_first) {
  const auto name = path() / "pipe";
  ::mkfifo(name.c_str(), 0600);
  std::thread writer([&name] {
    const descriptor end{::open(name.c_str(), O_WRONLY | O_CLOEXEC)}; // opens when somebody reads
    for (const char* part : {"one ", "two"}) {
      [[maybe_unused]] const auto written = ::write(end.get(), part, std::strlen(part));
      std::this_thread::sleep_for(10ms); // the pace of the writer, not a wait
    }
  });
  BOOST_TEST(*read_stream(name, 100, 20s) == "one two");
  writer.join();
  BOOST_TEST(read_stream("/dev/zero", 100, 20s).error() == cause::file_too_large);
  BOOST_TEST(read_stream(path(), 100, 20s).error() == cause::is_a_directory);
}

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_ends_is_given_up) {
  const auto name = path() / "pipe";
  ::mkfifo(name.c_str(), 0600);
  BOOST_TEST(read_stream(name, 100, 20ms).error() == errc::timed_out);
  const descriptor end{::open(name.c_str(), O_RDWR | O_CLOEXEC)};
  BOOST_TEST(::write(end.get(), "begun", 5) == 5);
  BOOST_TEST(read_stream(name, 100, 20ms).error() == errc::timed_out);
}

BOOST_AUTO_TEST_CASE(only_names_of_regular_files_lead_there_again) {
  spill(path() / "a", "");
  BOOST_TEST(can_be_read_again(path() / "a"));
  BOOST_TEST(!can_be_read_again(path() / "absent"));
  ::mkfifo((path() / "pipe").c_str(), 0600);
  for (const std::filesystem::path& each :
       {path() / "pipe", std::filesystem::path("/dev/stdin"), std::filesystem::path("/proc/self/fd/0")})
    BOOST_TEST(!can_be_read_again(each));
}

BOOST_AUTO_TEST_SUITE_END()
