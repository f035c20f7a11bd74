#include "gotunnel/app/keyring.hpp"

#include "gotunnel/app/usage_error.hpp"

#include "support/log_capture.hpp"
#include "support/scratch_directory.hpp"
#include "support/strong_secrets.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::app;

namespace {

struct room : scratch_directory {
  std::filesystem::path secrets = path() / "secret";
  log_capture log;

  void write(std::string_view text) const {
    spill(secrets, strong(text));
    std::filesystem::permissions(secrets, std::filesystem::perms(0600));
  }
  keyring open(std::size_t most) const {
    std::vector<std::string> warnings;
    return keyring({read_secret_file(secrets, warnings), secrets}, true, most);
  }
};

std::string names(const link::shared_keys& keys) {
  std::string text;
  for (const link::gate_key& each : keys->all)
    text += (text.empty() ? "" : "|") + name_of(each.secret.reveal());
  return text;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(keyring_test, room)

BOOST_AUTO_TEST_CASE(a_server_takes_all_and_a_client_the_first) {
  write("new\nold\n");
  BOOST_TEST(names(open(4).keys()) == "new|old");
  keyring client = open(1);
  BOOST_TEST(names(client.keys()) == "new");
  const auto before = client.keys();
  write("new\nolder\n"); // not its business
  BOOST_TEST((client.latest() == before));
}

BOOST_AUTO_TEST_CASE(looking_changes_nothing_and_the_same_is_the_same) {
  write("old\n");
  keyring keys = open(4);
  const auto before = keys.keys();
  write("old"); // other bytes, the same secret
  BOOST_TEST((keys.look() == before));
  write("new\nold\n");
  const auto next = keys.look();
  BOOST_TEST(names(next) == "new|old");
  BOOST_TEST((keys.keys() == before));
  keys.take(next);
  BOOST_TEST((keys.look() == next));
  std::filesystem::permissions(secrets, std::filesystem::perms(0644));
  BOOST_TEST((keys.look() == next)); // said when it was read
  write("newer\n");
  std::filesystem::permissions(secrets, std::filesystem::perms(0644));
  BOOST_TEST(names(keys.look()) == "newer");
  log.expect("app: everybody on this machine can read the secret in");
}

BOOST_AUTO_TEST_CASE(who_follows_a_file_keeps_the_former_secret_when_it_breaks) {
  write("old\n");
  keyring keys = open(1);
  write("");
  BOOST_CHECK_THROW(static_cast<void>(keys.look()), usage_error);
  BOOST_TEST(names(keys.latest()) == "old");
  log.expect("the file is empty; write the secret into it; going on with the former secret");
  BOOST_TEST(names(keys.latest()) == "old"); // and no other line
  std::filesystem::remove(secrets);
  BOOST_TEST(names(keys.latest()) == "old");
  log.expect("cannot read: No such file or directory");
  write("new\n");
  BOOST_TEST(names(keys.latest()) == "new");
  write("");
  BOOST_TEST(names(keys.latest()) == "new");
  log.expect("the file is empty"); // news again
}

BOOST_AUTO_TEST_CASE(without_a_file_nothing_changes) {
  keyring keys({{secret_text("fixed")}, {}}, false, 4);
  BOOST_TEST(keys.file() == "");
  BOOST_TEST((keys.look() == keys.keys()));
  BOOST_TEST(!keys.latest()->seed_peers);
}

BOOST_AUTO_TEST_SUITE_END()
