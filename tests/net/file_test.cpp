#include "gotunnel/net/file.hpp"

#include "gotunnel/base/clock.hpp"

#include "support/print_error.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::net;
using namespace gotunnel::testing;
namespace cause = boost::system::errc;

namespace {

struct umask_of {
  explicit umask_of(mode_t mask) : old(::umask(mask)) {}
  ~umask_of() { ::umask(old); }
  mode_t old;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(file, scratch_directory)

BOOST_AUTO_TEST_CASE(what_was_created_is_read) {
  const auto name = path() / "a";
  BOOST_REQUIRE(create_file(name, as_bytes("content"), 0640).has_value());
  const auto content = read_file(name, 100);
  BOOST_TEST(content->bytes == "content");
  BOOST_TEST(content->mode == 0640u);
}

BOOST_AUTO_TEST_CASE(the_umask_has_no_say) {
  for (const mode_t mask : {mode_t{0}, mode_t{0777}}) {
    const umask_of changed(mask);
    const auto sub = path() / std::to_string(mask);
    BOOST_REQUIRE(*create_directory(sub, 0700));
    BOOST_TEST(mode_of(sub) == 0700u);
    BOOST_REQUIRE(create_file(sub / "a", {}, 0600).has_value());
    BOOST_TEST(mode_of(sub / "a") == 0600u);
    BOOST_REQUIRE(replace_file(sub / "a", {}, 0644).has_value());
    BOOST_TEST(mode_of(sub / "a") == 0644u);
  }
}

BOOST_AUTO_TEST_CASE(the_limit_is_exact) {
  const auto name = path() / "a";
  spill(name, "12345");
  BOOST_TEST(read_file(name, 5)->bytes == "12345");
  BOOST_TEST(read_file(name, 4).error() == cause::file_too_large);
  spill(name, "");
  BOOST_TEST(read_file(name, 0)->bytes == "");
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

BOOST_AUTO_TEST_CASE(creating_never_touches_what_is_there) {
  spill(path() / "a", "old");
  BOOST_TEST(create_file(path() / "a", as_bytes("new"), 0600).error() == cause::file_exists);
  BOOST_TEST(slurp(path() / "a") == "old");
  std::filesystem::create_symlink("nowhere", path() / "link");
  BOOST_TEST(create_file(path() / "link", as_bytes("new"), 0600).error() == cause::file_exists);
  BOOST_TEST(!std::filesystem::exists(path() / "nowhere"));
}

BOOST_AUTO_TEST_CASE(replacing_leaves_one_file) {
  const auto name = path() / "a";
  BOOST_REQUIRE(replace_file(name, as_bytes("one"), 0600).has_value());
  BOOST_REQUIRE(replace_file(name, as_bytes("two"), 0600).has_value());
  BOOST_TEST(slurp(name) == "two");
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(path()), {}) == 1);
  BOOST_TEST(replace_file(path() / "no" / "such", {}, 0600).error() == cause::no_such_file_or_directory);
}

BOOST_AUTO_TEST_CASE(a_write_that_fails_leaves_nothing_behind) {
  spill(path() / "old", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{4, 4}; // as a full disk would: some bytes, then none
    ::setrlimit(RLIMIT_FSIZE, &small);
    const bool failed =
        create_file(path() / "a", as_bytes("too long"), 0600).error() == cause::file_too_large &&
        replace_file(path() / "old", as_bytes("too long"), 0600).error() == cause::file_too_large;
    ::_exit(failed ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
  BOOST_TEST(!std::filesystem::exists(path() / "a"));
  BOOST_TEST(slurp(path() / "old") == "old");
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_directory_is_made_once) {
  BOOST_TEST(*create_directory(path() / "d", 0750));
  BOOST_TEST(mode_of(path() / "d") == 0750u);
  BOOST_TEST(!*create_directory(path() / "d", 0700));
  BOOST_TEST(mode_of(path() / "d") == 0750u);
  spill(path() / "f", "");
  BOOST_TEST(create_directory(path() / "f", 0700).error() == cause::not_a_directory);
  BOOST_TEST(create_directory(path() / "x" / "y", 0700).error() == cause::no_such_file_or_directory);
}

BOOST_AUTO_TEST_CASE(a_lock_excludes_until_it_ends) {
  {
    const auto held = directory_lock::acquire(path(), 0ms);
    BOOST_REQUIRE(held.has_value());
    BOOST_TEST(directory_lock::acquire(path(), 30ms).error() == errc::timed_out);
  }
  BOOST_TEST(directory_lock::acquire(path(), 0ms).has_value());
  BOOST_TEST(directory_lock::acquire(path() / "absent", 0ms).error() == cause::no_such_file_or_directory);
}

BOOST_AUTO_TEST_CASE(a_lock_is_waited_for) {
  auto held = directory_lock::acquire(path(), 0ms);
  std::thread other([&held] {
    std::this_thread::sleep_for(30ms); // how long the lock is held, not a wait
    const directory_lock ended = std::move(*held);
  });
  BOOST_TEST(directory_lock::acquire(path(), 5s).has_value());
  other.join();
}

BOOST_AUTO_TEST_SUITE_END()
