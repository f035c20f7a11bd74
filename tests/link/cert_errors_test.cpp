// Directories of certificates that cannot be served: each is refused by a sentence that names the file and
// the remedy, and nothing on the disk has changed.
#include "gotunnel/link/cert_store.hpp"

#include "support/cert_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::link;
using namespace gotunnel::testing;
using std::chrono::days;

namespace {

struct fixture : cert_directory {
  void make() const { open_at(start); }

  /// Opening must fail with this sentence and leave every file as it is.
  void refused(const std::string& sentence, wall_time now) const {
    const auto before = contents();
    BOOST_CHECK_EXCEPTION(open_at(now), cert_error, says(sentence));
    BOOST_TEST((contents() == before));
  }
  void refused(const std::string& sentence) const { refused(sentence, start + days(1)); }

  void remove(const char* name) const { std::filesystem::remove(dir / name); }
};

/// Runs `body` in another process, as nobody when we are root: root may read and write everything.
template <class Body>
int in_child(const Body& body, bool unprivileged) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (unprivileged && ::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(99);
    int code = 98;
    try {
      code = body();
    } catch (const std::exception& e) {
      ::fprintf(stderr, "%s\n", e.what());
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool error_of_open_says(const fixture& files, wall_time now, std::string_view part) {
  try {
    files.open_at(now);
  } catch (const cert_error& e) {
    if (std::string_view(e.what()).find(part) != std::string_view::npos) return true;
    ::fprintf(stderr, "it says: %s\n", e.what());
  }
  return false;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(cert_store_errors, fixture)

BOOST_AUTO_TEST_CASE(without_ca_crt_nothing_that_is_there_is_overwritten) {
  for (const char* kept : {"ca.key", "server.crt", "server.key"}) {
    make();
    for (const char* name : {"ca.crt", "ca.key", "server.crt", "server.key"}) {
      if (std::string_view(name) != kept) remove(name);
    }
    refused(std::string("ca.crt: is missing, but ") + kept + " is there; restore ca.crt, or move " + kept +
            " away");
    remove(kept);
  }
}

BOOST_AUTO_TEST_CASE(half_a_pair_is_not_completed) {
  make();
  const std::string key = slurp(dir / "server.key");
  remove("server.key");
  refused("server.key: is missing; restore it, or move server.crt away");
  spill(dir / "server.key", key);
  remove("server.crt");
  refused("server.crt: is missing; restore it, or move server.key away");
}

BOOST_AUTO_TEST_CASE(no_pair_and_no_key_of_the_ca) {
  make();
  for (const char* name : {"ca.key", "server.crt", "server.key"}) remove(name);
  refused("server.crt: is missing, and without ca.key no new one can be issued");
}

BOOST_AUTO_TEST_CASE(corrupt_files_are_named) {
  for (const char* name : {"ca.crt", "ca.key", "server.crt", "server.key"}) {
    make();
    const std::string good = slurp(dir / name);
    for (const std::string& bad : {std::string(), std::string("rubbish"), good.substr(0, good.size() / 2),
                                   std::string("\0\0\0", 3), std::string(good).replace(60, 8, "########")}) {
      spill(dir / name, bad);
      refused(std::string(name) + ": is not a ");
    }
    spill(dir / name, good);
    open_at(start);
  }
}

BOOST_AUTO_TEST_CASE(large_files_directories_and_dangling_links_are_named) {
  for (const char* name : {"ca.crt", "ca.key", "server.crt", "server.key"}) {
    make();
    const std::string good = slurp(dir / name);
    const std::string file(name);
    spill(dir / name, good + std::string(64 * 1024, '\n'));
    refused(file + ": is larger than 64 KiB");
    remove(name);
    std::filesystem::create_directory(dir / name);
    refused(file + ": is a directory; move it away");
    remove(name);
    std::filesystem::create_symlink("nowhere", dir / name);
    refused(file + ": points nowhere");
    remove(name);
    spill(dir / name, good);
    std::filesystem::permissions(dir / name, std::filesystem::perms(0600));
    open_at(start);
  }
}

BOOST_AUTO_TEST_CASE(a_symbolic_link_to_a_good_file_is_fine) {
  make();
  std::filesystem::rename(dir / "ca.crt", path() / "elsewhere");
  std::filesystem::create_symlink(path() / "elsewhere", dir / "ca.crt");
  open_at(start);
}

BOOST_AUTO_TEST_CASE(files_that_do_not_belong_together_are_named) {
  make();
  const auto authority = *crypto::make_authority(start);
  const auto leaf = *crypto::issue_server(authority, start, days(100));
  const auto mine = contents();
  const auto restore = [&](const char* name) { spill(dir / name, mine.at(name)); };

  spill(dir / "server.key", leaf.key.reveal());
  refused("server.key: does not belong to server.crt");
  spill(dir / "server.crt", leaf.certificate);
  refused("server.crt: is not signed by ca.crt");
  restore("server.key");
  restore("server.crt");
  spill(dir / "ca.key", authority.key.reveal());
  refused("ca.key: does not belong to ca.crt");
  restore("ca.key");
  spill(dir / "ca.crt", authority.certificate);
  refused("server.crt: is not signed by ca.crt");
  spill(dir / "ca.crt", mine.at("server.crt"));
  refused("ca.crt: is not the certificate of a CA");
  restore("ca.crt");
  open_at(start);
}

BOOST_AUTO_TEST_CASE(a_leaf_for_another_name_is_refused) {
  make();
  const crypto::credential authority{slurp(dir / "ca.crt"), secret_text(slurp(dir / "ca.key"))};
  certificate_plan plan = plain_leaf(start, start + days(100));
  plan.extensions.back().second = "DNS:other.internal";
  put(authority, make_certificate(plan, &authority));
  refused("server.crt: is not for gotunnel.internal");
}

BOOST_AUTO_TEST_CASE(an_expired_ca_is_refused) {
  make();
  refused("ca.crt: expired on 2036-01-01", start + days(3660));
  remove("ca.key");
  refused("ca.crt: expired on 2036-01-01", start + days(3660));
}

BOOST_AUTO_TEST_CASE(a_directory_that_others_can_write_is_refused) {
  make();
  for (const auto& [mode, why] : {std::pair{0777U, "everybody can write to it (mode 0777)"},
                                  {0770U, "its group can write to it (mode 0770)"}}) {
    std::filesystem::permissions(dir, std::filesystem::perms(mode));
    refused(std::string(why) + ", and exchange the keys; chmod go-w " + dir.string());
  }
  std::filesystem::permissions(dir, std::filesystem::perms(0755));
  open_at(start);
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_made_is_named) {
  spill(path() / "file", "");
  BOOST_CHECK_EXCEPTION(static_cast<void>(cert_store::open(path() / "file", start)), cert_error,
                        says("file: cannot be made: Not a directory"));
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(cert_store::open(path() / "no" / "such", start)), cert_error,
      says("such: cannot be made: No such file or directory; make it, or choose another with -certs"));
}

BOOST_AUTO_TEST_CASE(a_full_disk_leaves_the_old_state) {
  make();
  const auto before = contents();
  const int code = in_child(
      [this] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{100, 100};
        ::setrlimit(RLIMIT_FSIZE, &small);
        cert_store store = cert_store::open(dir, start);
        try {
          store.renew(start + days(1));
        } catch (const cert_error& e) {
          return std::string_view(e.what()).find("nothing was changed") != std::string_view::npos ? 0 : 1;
        }
        return 2;
      },
      false);
  BOOST_TEST(code == 0);
  BOOST_TEST((contents() == before));
}

BOOST_AUTO_TEST_CASE(a_full_disk_at_the_first_start_leaves_no_rubbish) {
  const int code = in_child(
      [this] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{100, 100};
        ::setrlimit(RLIMIT_FSIZE, &small);
        return error_of_open_says(*this, start, "cannot be written") ? 0 : 1;
      },
      false);
  BOOST_TEST(code == 0);
  BOOST_TEST(names() == "");
  open_at(start); // and the next start works
}

BOOST_AUTO_TEST_CASE(what_the_user_may_not_read_is_named) {
  make();
  std::filesystem::permissions(path(), std::filesystem::perms(0755));
  std::filesystem::permissions(dir, std::filesystem::perms(0755));
  std::filesystem::permissions(dir / "server.key", std::filesystem::perms(0000));
  BOOST_TEST(in_child(
                 [this] {
                   return error_of_open_says(*this, start, "server.key: cannot be read: permission") ? 0 : 1;
                 },
                 true) == 0);
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_read_only_serves) {
  make();
  std::filesystem::permissions(path(), std::filesystem::perms(0755));
  for (const char* key : {"ca.key", "server.key"})
    std::filesystem::permissions(dir / key, std::filesystem::perms(0444));
  std::filesystem::permissions(dir, std::filesystem::perms(0555));
  const auto before = contents();
  // Also when a renewal is due that cannot be: until the leaf has expired.
  const auto serves = [this](wall_time now) { return cert_store::open(dir, now).created() ? 1 : 0; };
  BOOST_TEST(in_child([&] { return serves(start); }, true) == 0);
  BOOST_TEST(
      in_child([&] { return warned(cert_store::open(dir, start + days(300)), "renewal failed") ? 0 : 1; },
               true) == 0);
  BOOST_TEST(
      in_child([&] { return error_of_open_says(*this, start + days(400), "cannot be written") ? 0 : 1; },
               true) == 0);
  BOOST_TEST((contents() == before));

  std::filesystem::permissions(dir, std::filesystem::perms(0755));
  for (const char* name : {"server.crt", "server.key"}) remove(name);
  std::filesystem::permissions(dir, std::filesystem::perms(0555));
  BOOST_TEST(
      in_child(
          [&] { return error_of_open_says(*this, start, "cannot be written: Permission denied") ? 0 : 1; },
          true) == 0);
  std::filesystem::permissions(dir, std::filesystem::perms(0755));
}

BOOST_AUTO_TEST_SUITE_END()
