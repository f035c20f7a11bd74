#include "gotunnel/reverse/client_identity.hpp"

#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <set>
#include <sstream>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using namespace gotunnel;
using gotunnel::reverse::client_identity;
using gotunnel::testing::scratch_directory;

namespace {

const wire::host_port server{"tunnel.example.org", 7000};

std::vector<std::filesystem::path> files_of(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> found;
  for (const auto& each : std::filesystem::directory_iterator(directory)) found.push_back(each.path());
  return found;
}

std::string content(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

} // namespace

BOOST_AUTO_TEST_SUITE(client_identity_test)

BOOST_AUTO_TEST_CASE(an_id_is_made_once_and_used_again) {
  const scratch_directory directory;
  const auto state = directory.path() / "deep" / "state";
  wire::peer_id first{};
  {
    const auto made = client_identity::claim(state, server, 8080);
    BOOST_TEST(made.durable, made.why_not);
    BOOST_CHECK(made.client != wire::peer_id{});
    first = made.client;
  }
  const auto files = files_of(state);
  BOOST_TEST_REQUIRE(files.size() == 1U);
  struct stat facts {};
  ::stat(files[0].c_str(), &facts);
  BOOST_TEST((facts.st_mode & 0777) == 0600U);
  BOOST_TEST(content(files[0]) == to_hex(first) + "\n");

  const auto again = client_identity::claim(state, server, 8080);
  BOOST_TEST(again.durable);
  BOOST_CHECK(again.client == first);
}

BOOST_AUTO_TEST_CASE(servers_and_ports_have_ids_of_their_own) {
  const scratch_directory directory;
  // The last two differ only in characters that a file name does not show.
  const std::vector<std::pair<wire::host_port, std::uint16_t>> all{
      {server, 8080},  {server, 8081},  {{"tunnel.example.org", 7001}, 8080},
      {{"a_b", 1}, 2}, {{"a/b", 1}, 2}, {{"../../b", 1}, 2}};
  std::set<wire::peer_id> ids;
  for (const auto& [host, port] : all) {
    const auto claimed = client_identity::claim(directory.path(), host, port);
    BOOST_TEST(claimed.durable, claimed.why_not);
    ids.insert(claimed.client);
  }
  BOOST_TEST(ids.size() == all.size());
  BOOST_TEST(files_of(directory.path()).size() == all.size());
}

BOOST_AUTO_TEST_CASE(a_second_process_for_the_same_port_has_the_same_id) {
  const scratch_directory directory;
  const auto one = client_identity::claim(directory.path(), server, 8080);
  const auto two = client_identity::claim(directory.path(), server, 8080);
  BOOST_CHECK(one.client == two.client); // and the server says so
}

BOOST_AUTO_TEST_CASE(with_port_0_each_process_takes_a_free_slot) {
  const scratch_directory directory;
  wire::peer_id second{};
  {
    const auto one = client_identity::claim(directory.path(), server, 0);
    auto two = client_identity::claim(directory.path(), server, 0);
    const client_identity moved = std::move(two); // the lock goes along
    const auto three = client_identity::claim(directory.path(), server, 0);
    BOOST_CHECK(one.client != moved.client);
    BOOST_CHECK(moved.client != three.client);
    BOOST_CHECK(one.client != three.client);
    BOOST_TEST((one.durable && moved.durable && three.durable));
    second = moved.client;
  }
  const auto one = client_identity::claim(directory.path(), server, 0);
  const auto two = client_identity::claim(directory.path(), server, 0);
  BOOST_CHECK(two.client == second);
  BOOST_TEST(files_of(directory.path()).size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_used_means_an_id_for_this_run) {
  const scratch_directory directory;
  const auto file = directory.path() / "file";
  std::ofstream(file) << "in the way";
  const auto one = client_identity::claim(file / "state", server, 8080);
  BOOST_TEST(!one.durable);
  BOOST_TEST(one.why_not.find("cannot create") != std::string::npos);
  BOOST_CHECK(one.client != wire::peer_id{});
  const auto two = client_identity::claim(file / "state", server, 8080);
  BOOST_CHECK(one.client != two.client);

  if (::geteuid() == 0) return; // root may write everywhere
  const auto sealed = directory.path() / "sealed";
  std::filesystem::create_directory(sealed);
  ::chmod(sealed.c_str(), 0500);
  const auto three = client_identity::claim(sealed, server, 8080);
  BOOST_TEST(!three.durable);
  BOOST_TEST(three.why_not.find("cannot open") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_file_that_holds_no_id_is_kept_and_named) {
  const scratch_directory directory;
  { const auto made = client_identity::claim(directory.path(), server, 8080); }
  const auto file = files_of(directory.path()).at(0);
  const std::string id(32, 'a');
  for (const std::string& garbage : {std::string("precious"), std::string(31, 'a'), id + "\n\n", id + "aa",
                                     std::string(32, 'g'), std::string("\n")}) {
    std::ofstream(file) << garbage;
    const auto claimed = client_identity::claim(directory.path(), server, 8080);
    BOOST_TEST(!claimed.durable);
    BOOST_TEST(claimed.why_not.find(file.string()) != std::string::npos);
    BOOST_CHECK(claimed.client != wire::peer_id{});
    BOOST_TEST(content(file) == garbage);
  }
  std::ofstream(file) << id; // without a line end, as an editor may leave it
  BOOST_TEST(client_identity::claim(directory.path(), server, 8080).durable);
  { const std::ofstream emptied(file); }
  BOOST_TEST(client_identity::claim(directory.path(), server, 8080).durable);
}

BOOST_AUTO_TEST_CASE(a_symbolic_link_is_not_followed) {
  const scratch_directory directory;
  { const auto made = client_identity::claim(directory.path(), server, 8080); }
  const auto file = files_of(directory.path()).at(0);
  std::filesystem::remove(file);
  std::filesystem::create_symlink(directory.path() / "elsewhere", file);
  BOOST_TEST(!client_identity::claim(directory.path(), server, 8080).durable);
  BOOST_TEST(!std::filesystem::exists(directory.path() / "elsewhere"));
}

BOOST_AUTO_TEST_CASE(a_file_of_another_user_is_named_and_not_taken) {
  if (::geteuid() != 0) return; // only root can make one
  const scratch_directory directory;
  { const auto made = client_identity::claim(directory.path(), server, 8080); }
  const auto file = files_of(directory.path()).at(0);
  BOOST_TEST(::chown(file.c_str(), 65534, 65534) == 0);
  const auto claimed = client_identity::claim(directory.path(), server, 8080);
  BOOST_TEST(!claimed.durable);
  BOOST_TEST(claimed.why_not.find("belongs to user 65534, who may not choose this client's id; remove it") !=
             std::string::npos);
  // All of the directory is that user's: root keeps the id that the user has.
  BOOST_TEST(::chown(directory.path().c_str(), 65534, 65534) == 0);
  BOOST_TEST(client_identity::claim(directory.path(), server, 8080).durable);
}

BOOST_AUTO_TEST_CASE(a_file_with_a_second_name_is_not_written_to) {
  const scratch_directory directory;
  { const auto made = client_identity::claim(directory.path(), server, 8080); }
  const auto file = files_of(directory.path()).at(0);
  std::filesystem::remove(file);
  { const std::ofstream precious(directory.path() / "precious"); }
  std::filesystem::create_hard_link(directory.path() / "precious", file);
  BOOST_TEST(!client_identity::claim(directory.path(), server, 8080).durable);
  BOOST_TEST(content(directory.path() / "precious") == "");
}

BOOST_AUTO_TEST_CASE(there_is_always_a_state_directory) {
  const auto restore = [](const char* name, const std::string& value, bool was_set) {
    was_set ? ::setenv(name, value.c_str(), 1) : ::unsetenv(name);
  };
  const char* const xdg = std::getenv("XDG_STATE_HOME");
  const char* const home = std::getenv("HOME");
  const std::string old_xdg = xdg != nullptr ? xdg : "";
  const std::string old_home = home != nullptr ? home : "";
  ::setenv("XDG_STATE_HOME", "/x/state", 1);
  ::setenv("HOME", "/home/someone", 1);
  BOOST_TEST(reverse::default_state_directory() == "/x/state/gotunnel");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  BOOST_TEST(reverse::default_state_directory() == "/home/someone/.local/state/gotunnel");
  ::unsetenv("XDG_STATE_HOME");
  ::unsetenv("HOME");
  BOOST_TEST(reverse::default_state_directory() == "/var/lib/gotunnel");
  restore("XDG_STATE_HOME", old_xdg, xdg != nullptr);
  restore("HOME", old_home, home != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
