// The journal under crashes: a process dies at each change that it makes on disk, and the next start finds
// old or new.
#include "gotunnel/link/cert_journal.hpp"

#include "support/cert_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/wait.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::link;
using namespace gotunnel::testing;
using std::chrono::days;

namespace {

int steps_to_live = 0;

/// Runs `body` in another process that dies right before its change number `steps`. True when it lived to the
/// end.
template <class Body>
bool lives_through(int steps, const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    steps_to_live = steps;
    gotunnel::link::detail::observe_journal = [](std::string_view) {
      if (steps_to_live-- == 0) ::_exit(1);
    };
    int code = 2;
    try {
      body();
      code = 0;
    } catch (const std::exception& e) {
      ::fprintf(stderr, "%s\n", e.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) != 2));
  return status == 0;
}

bool pending(const std::filesystem::path& directory) {
  const auto opened = net::directory::open(directory);
  return opened && cert_journal::pending(*opened);
}

constexpr const char* all_four = "ca.crt ca.key server.crt server.key";

} // namespace

BOOST_FIXTURE_TEST_SUITE(cert_journal_crashes, cert_directory)

BOOST_AUTO_TEST_CASE(a_first_start_that_dies_anywhere_is_finished_or_begun_again) {
  int steps = 0;
  for (bool lived = false; !lived; ++steps) {
    BOOST_REQUIRE(steps < 100);
    lived = lives_through(steps, [this] { open_at(start); });
    // What was committed before the crash is what the next start serves.
    const bool committed = pending(dir) || std::filesystem::exists(dir / "ca.crt");
    const auto file =
        std::filesystem::exists(dir / ".new" / "ca.crt") ? dir / ".new" / "ca.crt" : dir / "ca.crt";
    const std::string authority = committed ? slurp(file) : "";
    const cert_store store = cert_store::open(dir, start);
    BOOST_TEST(store.created() == !committed);
    if (committed) BOOST_TEST(store.authority() == authority);
    BOOST_TEST(names() == all_four);
    std::filesystem::remove_all(dir);
  }
  BOOST_TEST(steps > 10); // draft, four files, commit, four places, clear
}

BOOST_AUTO_TEST_CASE(a_renewal_that_dies_anywhere_leaves_the_old_pair_or_the_new_one) {
  bool saw_old = false, saw_new = false;
  int steps = 0;
  for (bool lived = false; !lived; ++steps) {
    BOOST_REQUIRE(steps < 100);
    cert_store before = cert_store::open(dir, start);
    lived = lives_through(steps, [&before, this] { before.renew(start + days(1)); });
    const cert_store after = cert_store::open(dir, start + days(1)); // checks that the pair fits
    BOOST_TEST(names() == all_four);
    BOOST_TEST(after.authority() == before.authority());
    const bool renewed = after.server_facts().not_after == start + days(366);
    BOOST_TEST((renewed || after.server().certificate == before.server().certificate));
    (renewed ? saw_new : saw_old) = true;
    std::filesystem::remove_all(dir);
  }
  BOOST_TEST(steps > 6);
  BOOST_TEST(saw_old);
  BOOST_TEST(saw_new);
}

BOOST_AUTO_TEST_CASE(a_recovery_that_dies_is_recovered_from) {
  for (const int first : {3, 6, 8, 10}) {
    for (const int second : {0, 1, 2, 4}) {
      lives_through(first, [this] { open_at(start); });
      lives_through(second, [this] { open_at(start); });
      open_at(start);
      BOOST_TEST(names() == all_four);
      std::filesystem::remove_all(dir);
    }
  }
}

BOOST_AUTO_TEST_CASE(servers_that_start_at_once_end_with_one_ca) {
  constexpr int servers = 6;
  std::vector<pid_t> children;
  for (int i = 0; i < servers; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      int code = 1;
      try {
        const cert_store store = cert_store::open(dir, start);
        spill(path() / std::to_string(i), store.authority());
        code = 0;
      } catch (const std::exception& e) {
        ::fprintf(stderr, "%s\n", e.what());
      }
      ::_exit(code);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(status == 0);
  }
  for (int i = 0; i < servers; ++i) BOOST_TEST(slurp(path() / std::to_string(i)) == slurp(dir / "ca.crt"));
  BOOST_TEST(names() == all_four);
}

BOOST_AUTO_TEST_CASE(what_was_put_in_place_meanwhile_is_not_overwritten) {
  BOOST_REQUIRE(!lives_through(6, [this] { open_at(start); })); // committed, nothing in its place
  BOOST_REQUIRE(pending(dir));
  spill(dir / "ca.crt", "mine");
  BOOST_CHECK_EXCEPTION(open_at(start), cert_error, says(".new: was left by an interrupted first start"));
  BOOST_TEST(slurp(dir / "ca.crt") == "mine");
}

BOOST_AUTO_TEST_CASE(a_renewal_of_another_ca_is_not_finished) {
  open_at(start);
  BOOST_REQUIRE(!lives_through(4, [this] { cert_store::open(dir, start).renew(start + days(1)); }));
  BOOST_REQUIRE(pending(dir));
  const auto [authority, leaf] = make_seed_certificates(start);
  put(authority, leaf);
  BOOST_CHECK_EXCEPTION(open_at(start), cert_error,
                        says(".new: was left by an interrupted renewal and does not fit"));
  BOOST_TEST(slurp(dir / "server.crt") == leaf.certificate);
}

BOOST_AUTO_TEST_CASE(a_draft_holds_nothing_back) {
  std::filesystem::create_directories(dir / ".new.tmp");
  spill(dir / ".new.tmp" / "ca.key", "half a");
  open_at(start);
  BOOST_TEST(names() == all_four);
}

BOOST_AUTO_TEST_CASE(a_link_in_place_of_a_draft_is_reported_not_followed) {
  open_at(start);
  std::filesystem::create_directory(path() / "elsewhere");
  spill(path() / "elsewhere" / "file", "precious");
  std::filesystem::create_directory_symlink(path() / "elsewhere", dir / ".new.tmp");
  BOOST_TEST(warned(cert_store::open(dir, start), "cannot remove .new.tmp"));
  BOOST_CHECK_THROW(cert_store::open(dir, start).renew(start + days(1)), cert_error);
  BOOST_TEST(slurp(path() / "elsewhere" / "file") == "precious");
}

BOOST_AUTO_TEST_CASE(a_renewal_of_the_ca_that_dies_anywhere_leaves_three_files_that_fit) {
  bool saw_old = false, saw_new = false;
  int steps = 0;
  for (bool lived = false; !lived; ++steps) {
    BOOST_REQUIRE(steps < 100);
    const cert_store before = cert_store::open(dir, start);
    lived = lives_through(steps,
                          [this] { static_cast<void>(cert_store::renew_authority(dir, start + days(1))); });
    const cert_store after = cert_store::open(dir, start + days(1));
    BOOST_TEST(names() == all_four);
    BOOST_TEST(after.authority_facts().pin == before.authority_facts().pin);
    const bool renewed = after.authority() != before.authority();
    BOOST_TEST(renewed == (after.server().certificate != before.server().certificate));
    (renewed ? saw_new : saw_old) = true;
    std::filesystem::remove_all(dir);
  }
  BOOST_TEST(saw_old);
  BOOST_TEST(saw_new);
}

BOOST_AUTO_TEST_CASE(a_draft_that_is_not_ours_is_reported_not_deleted) {
  std::filesystem::create_directories(dir / ".new.tmp" / "deep");
  spill(dir / ".new.tmp" / "deep" / "file", "precious");
  BOOST_CHECK_THROW(open_at(start), cert_error);
  BOOST_TEST(slurp(dir / ".new.tmp" / "deep" / "file") == "precious");
}

BOOST_AUTO_TEST_SUITE_END()
