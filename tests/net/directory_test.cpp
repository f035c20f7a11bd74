#include "gotunnel/net/directory.hpp"

#include "gotunnel/base/clock.hpp"

#include "support/print_error.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <optional>
#include <thread>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::net;
using namespace gotunnel::testing;
namespace cause = boost::system::errc;
namespace fs = std::filesystem;

namespace {

constexpr uid_t somebody = 65534;

struct umask_of {
  explicit umask_of(mode_t mask) : old(::umask(mask)) {}
  ~umask_of() { ::umask(old); }
  mode_t old;
};

struct room : scratch_directory {
  room() { fs::create_directory(path() / "d"); }

  net::directory at = *net::directory::open(path());

  [[nodiscard]] bool create(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    return at.create(name, as_bytes(text), mode).has_value();
  }
  /// "d" as another user has it.
  [[nodiscard]] net::directory theirs() const {
    fs::create_directories(path() / "d");
    BOOST_REQUIRE(::chown((path() / "d").c_str(), somebody, somebody) == 0);
    return *net::directory::open(path() / "d");
  }
};

boost::test_tools::assertion_result as_root(boost::unit_test::test_unit_id) { return ::geteuid() == 0; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(directory, room)

BOOST_AUTO_TEST_CASE(what_was_created_is_read) {
  BOOST_REQUIRE(create("a", "content", 0640));
  const auto content = at.read("a", 100);
  BOOST_TEST(content->bytes == "content");
  BOOST_TEST(content->mode == 0640U);
  BOOST_TEST(at.read("a", 6).error() == cause::file_too_large);
  BOOST_TEST(at.read("d", 100).error() == cause::is_a_directory);
  BOOST_TEST(at.read("absent", 100).error() == cause::no_such_file_or_directory);
  BOOST_TEST(at.sync().has_value());
}

BOOST_AUTO_TEST_CASE(the_umask_has_no_say) {
  for (const mode_t mask : {mode_t{0}, mode_t{0777}}) {
    const umask_of changed(mask);
    const auto sub = std::to_string(mask);
    BOOST_REQUIRE(net::directory::open_or_make(path() / sub, 0700)->made);
    BOOST_TEST(mode_of(path() / sub) == 0700U);
    const auto inner = at.make(sub + "-inner", 0750);
    BOOST_REQUIRE(inner.has_value());
    BOOST_TEST(mode_of(path() / (sub + "-inner")) == 0750U);
    BOOST_REQUIRE(inner->create("a", {}, 0644).has_value());
    BOOST_TEST(mode_of(path() / (sub + "-inner") / "a") == 0644U);
  }
}

BOOST_AUTO_TEST_CASE(a_directory_is_made_once) {
  BOOST_TEST(net::directory::open_or_make(path() / "new" / "", 0750)->made);
  BOOST_TEST(mode_of(path() / "new") == 0750U);
  BOOST_TEST(!net::directory::open_or_make(path() / "new", 0700)->made);
  BOOST_TEST(mode_of(path() / "new") == 0750U);
  fs::create_symlink("new", path() / "link"); // whoever gave that path chose it
  BOOST_TEST(!net::directory::open_or_make(path() / "link", 0700)->made);
  spill(path() / "f", "");
  BOOST_TEST(net::directory::open_or_make(path() / "f", 0700).error() == cause::not_a_directory);
  BOOST_TEST(net::directory::open_or_make(path() / "x" / "y", 0700).error() ==
             cause::no_such_file_or_directory);
  BOOST_TEST(at.make("new", 0700).error() == cause::file_exists);
}

BOOST_AUTO_TEST_CASE(creating_never_touches_what_is_there) {
  BOOST_REQUIRE(create("a", "old"));
  BOOST_TEST(at.create("a", as_bytes("new"), 0600).error() == cause::file_exists);
  BOOST_TEST(slurp(path() / "a") == "old");
  fs::create_symlink("nowhere", path() / "link");
  BOOST_TEST(at.create("link", as_bytes("new"), 0600).error() == cause::file_exists);
  BOOST_TEST(at.open_or_make_file("link").error() == cause::too_many_symbolic_link_levels);
  BOOST_TEST(!fs::exists(path() / "nowhere"));
}

BOOST_AUTO_TEST_CASE(links_are_neither_entered_nor_emptied) {
  spill(path() / "d" / "precious", "p");
  fs::create_symlink("d", path() / "link");
  BOOST_TEST((*at.look("link") == net::directory::entry::link));
  BOOST_TEST(!at.enter("link").has_value());
  BOOST_TEST(!at.remove_directory("link").has_value());
  BOOST_TEST(at.remove("link").has_value());
  BOOST_TEST(slurp(path() / "d" / "precious") == "p");
  BOOST_TEST(at.enter("d").has_value());
}

BOOST_AUTO_TEST_CASE(what_is_moved_leaves_its_name) {
  BOOST_REQUIRE(create("a", "a"));
  const auto sub = at.enter("d");
  BOOST_TEST(at.move("a", *sub, "b").has_value());
  BOOST_TEST(slurp(path() / "d" / "b") == "a");
  BOOST_TEST((*at.look("a") == net::directory::entry::none));
  BOOST_TEST((*sub->look("b") == net::directory::entry::file));
  BOOST_TEST(sub->names(1)->front() == "b");
  BOOST_TEST(sub->names(0).error() == errc::limit_exceeded);
  BOOST_TEST(sub->names(9)->size() == 1U); // again from its beginning
}

BOOST_AUTO_TEST_CASE(a_link_is_read_through_where_only_we_can_have_put_it) {
  spill(path() / "target", "t");
  fs::create_symlink("target", path() / "link");
  BOOST_TEST(at.read("link", 10)->bytes == "t");
  fs::create_symlink("loop", path() / "loop");
  BOOST_TEST(at.read("loop", 10).error() == cause::too_many_symbolic_link_levels);
  ::chmod(path().c_str(), 0777);
  BOOST_TEST(net::directory::open(path())->read("link", 10).error() == cause::too_many_symbolic_link_levels);
  ::chmod(path().c_str(), 01777); // as Kubernetes mounts a secret
  BOOST_TEST(net::directory::open(path())->read("link", 10)->bytes == "t");
}

// Whoever comes first in a folder for everybody could otherwise lay a CA there.
BOOST_AUTO_TEST_CASE(in_a_sticky_folder_nothing_of_others_is_read, *boost::unit_test::precondition(as_root)) {
  spill(path() / "ours", "o");
  spill(path() / "theirs", "t");
  BOOST_TEST_REQUIRE(::chown((path() / "theirs").c_str(), 65534, 65534) == 0);
  BOOST_TEST_REQUIRE(::chown((path() / "d").c_str(), 65534, 65534) == 0);
  BOOST_TEST(at.read("theirs", 10)->bytes == "t"); // only root can have put it there
  ::chmod(path().c_str(), 01777);
  const auto sticky = net::directory::open(path());
  BOOST_TEST(sticky->read("ours", 10)->bytes == "o");
  BOOST_TEST(sticky->read("theirs", 10).error() == cause::operation_not_permitted);
  BOOST_TEST(sticky->enter("d").error() == cause::operation_not_permitted);
}

BOOST_AUTO_TEST_CASE(root_follows_nothing_in_the_folder_of_another_user,
                     *boost::unit_test::precondition(as_root)) {
  spill(path() / "target", "t");
  fs::create_symlink(path() / "target", path() / "d" / "link");
  const auto dir = theirs();
  BOOST_TEST(dir.read("link", 10).error() == cause::too_many_symbolic_link_levels);
  BOOST_TEST(dir.exposure() == "");
}

BOOST_AUTO_TEST_CASE(what_root_makes_belongs_to_the_owner_of_the_folder,
                     *boost::unit_test::precondition(as_root)) {
  const auto dir = theirs();
  BOOST_REQUIRE(dir.create("a", as_bytes("x"), 0600).has_value());
  BOOST_REQUIRE(dir.make("b", 0700).has_value());
  BOOST_REQUIRE(dir.open_or_make_file("c").has_value());
  for (const char* name : {"a", "b", "c"}) {
    struct ::stat status {};
    BOOST_TEST(::stat((path() / "d" / name).c_str(), &status) == 0);
    BOOST_TEST(status.st_uid == somebody);
  }
}

BOOST_AUTO_TEST_CASE(who_else_can_write_is_named) {
  const auto exposure = [this](mode_t mode) {
    ::chmod((path() / "d").c_str(), mode);
    return net::directory::open(path() / "d")->exposure();
  };
  for (const mode_t safe : {0700U, 0755U, 0750U, 01777U, 01775U}) BOOST_TEST(exposure(safe) == "");
  BOOST_TEST(exposure(0777) == "everybody can write to it (mode 0777)");
  BOOST_TEST(exposure(0775) == "its group can write to it (mode 0775)");
  BOOST_TEST(exposure(02770) == "its group can write to it (mode 2770)");
}

BOOST_AUTO_TEST_CASE(the_folder_of_another_user_is_named_to_all_but_root,
                     *boost::unit_test::precondition(as_root)) {
  const auto dir = theirs();
  BOOST_TEST(!dir.foreign());
  BOOST_REQUIRE(::seteuid(somebody - 1) == 0);
  const bool foreign = dir.foreign();
  BOOST_REQUIRE(::seteuid(0) == 0);
  BOOST_TEST(foreign);
}

BOOST_AUTO_TEST_CASE(a_file_to_write_in_is_regular_and_has_one_name) {
  BOOST_REQUIRE(at.open_or_make_file("id").has_value());
  BOOST_TEST(mode_of(path() / "id") == 0600U);
  BOOST_TEST(at.open_or_make_file("id").has_value());
  fs::create_hard_link(path() / "id", path() / "other");
  BOOST_TEST(at.open_or_make_file("other").error() == cause::invalid_argument);
  ::mkfifo((path() / "pipe").c_str(), 0600);
  BOOST_TEST(at.open_or_make_file("pipe").error() == cause::invalid_argument);
  BOOST_TEST(!at.open_or_make_file("d").has_value());
}

BOOST_AUTO_TEST_CASE(a_write_that_fails_leaves_nothing_behind) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{4, 4}; // as a full disk would: some bytes, then none
    ::setrlimit(RLIMIT_FSIZE, &small);
    ::_exit(at.create("a", as_bytes("too long"), 0600).error() == cause::file_too_large ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
  BOOST_TEST(!fs::exists(path() / "a"));
}

BOOST_AUTO_TEST_CASE(a_lock_excludes_until_it_ends) {
  {
    const auto held = *net::directory::open(path());
    BOOST_TEST(held.lock(0ms).has_value());
    BOOST_TEST(at.lock(30ms).error() == errc::timed_out);
  }
  BOOST_TEST(at.lock(0ms).has_value());
}

BOOST_AUTO_TEST_CASE(a_lock_is_waited_for) {
  std::optional<net::directory> held = *net::directory::open(path());
  BOOST_TEST(held->lock(0ms).has_value());
  std::thread other([&held] {
    std::this_thread::sleep_for(30ms); // how long the lock is held, not a wait
    held.reset();
  });
  BOOST_TEST(at.lock(5s).has_value());
  other.join();
}

BOOST_AUTO_TEST_SUITE_END()
