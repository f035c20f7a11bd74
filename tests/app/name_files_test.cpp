#include "gotunnel/app/name_files.hpp"

#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace gotunnel::app;
using gotunnel::testing::scratch_directory;
using gotunnel::testing::spill;
namespace fs = std::filesystem;

namespace {

struct links {
  /// The places, as the kernel sees them, one after the other.
  [[nodiscard]] std::string found(const std::string& name) const {
    std::string text;
    for (const fs::path& each : places_of(room.path() / name))
      text += fs::weakly_canonical(each).lexically_relative(fs::canonical(room.path())).string() + " ";
    return text;
  }
  void folder(const std::string& name) const { fs::create_directories(room.path() / name); }
  void link(const fs::path& target, const std::string& name) const {
    fs::create_symlink(target, room.path() / name);
  }

  scratch_directory room;
};

} // namespace

BOOST_AUTO_TEST_SUITE(name_files_test)

BOOST_FIXTURE_TEST_CASE(a_file_lies_in_its_folder, links) {
  folder("etc");
  spill(room.path() / "etc/hosts", "127.0.0.1 localhost\n");
  BOOST_TEST(found("etc/hosts") == "etc ");
}

BOOST_FIXTURE_TEST_CASE(links_are_followed_hop_by_hop, links) {
  for (const char* each : {"etc", "run/resolve", "store/abc", "store/def"}) folder(each);
  link("../run/resolve/stub.conf", "etc/resolv.conf");
  link(room.path() / "store/abc/resolv.conf", "run/resolve/stub.conf");
  link("../def/resolv.conf", "store/abc/resolv.conf");
  spill(room.path() / "store/def/resolv.conf", "nameserver 192.0.2.1\n");
  BOOST_TEST(found("etc/resolv.conf") == "etc run/resolve store/abc store/def ");
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_is_a_link_leads_where_the_kernel_goes, links) {
  for (const char* each : {"etc", "deep/er/resolve", "deep/er/other"}) folder(each);
  link("../deep/er/resolve", "etc/resolve");
  link("resolve/../other/resolv.conf", "etc/resolv.conf");
  spill(room.path() / "deep/er/other/resolv.conf", "");
  BOOST_TEST(found("etc/resolv.conf") == "etc deep/er/other ");
}

BOOST_FIXTURE_TEST_CASE(what_is_not_there_yet_will_lie_below_the_nearest_folder, links) {
  for (const char* each : {"etc", "run"}) folder(each);
  link("../run/systemd/resolve/stub.conf", "etc/resolv.conf");
  BOOST_TEST(found("etc/resolv.conf") == "etc run ");
  BOOST_TEST(found("etc/none") == "etc ");
}

BOOST_FIXTURE_TEST_CASE(a_ring_of_links_ends, links) {
  folder("etc");
  link("b", "etc/a");
  link("a", "etc/b");
  BOOST_TEST(places_of(room.path() / "etc/a").size() == 41U);
}

BOOST_AUTO_TEST_CASE(nobody_is_given_the_root) {
  BOOST_TEST(places_of("/resolv.conf-of-no-machine").front() == "/resolv.conf-of-no-machine");
  BOOST_TEST(places_of("/none-such/resolv.conf").front() == "/none-such/resolv.conf");
  const auto all = places_of_name_services();
  BOOST_TEST(all.front() == "/etc");
  BOOST_TEST((std::find(all.begin(), all.end(), "/") == all.end()));
}

BOOST_AUTO_TEST_SUITE_END()
