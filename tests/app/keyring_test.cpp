#include "gotunnel/app/keyring.hpp"

#include "gotunnel/app/usage_error.hpp"

#include "support/run.hpp"
#include "support/scratch_directory.hpp"
#include "support/strong_secrets.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::app;

namespace {

struct room : scratch_directory {
  std::filesystem::path secrets = path() / "secret";
  boost::asio::io_context context;
  net::file_worker files;

  void write(std::string_view text) const {
    spill(secrets, strong(text));
    std::filesystem::permissions(secrets, std::filesystem::perms(0600));
  }
  keyring open(std::size_t most) {
    std::vector<std::string> warnings;
    return keyring(context.get_executor(), files, {read_secret_file(secrets, warnings), secrets}, true, most);
  }
  /// A client's.
  [[nodiscard]] keyring follower(const net::executor& where) {
    std::vector<std::string> warnings;
    return keyring(where, files, {read_secret_file(secrets, warnings), secrets}, true, 1);
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
  const keyring client = open(1);
  BOOST_TEST(names(client.keys()) == "new");
  write("new\nolder\n"); // not its business
  BOOST_TEST((client.looking()() == client.keys()));
}

BOOST_AUTO_TEST_CASE(looking_changes_nothing_and_the_same_is_the_same) {
  log_capture log;
  write("old\n");
  keyring keys = open(4);
  const auto before = keys.keys();
  write("old"); // other bytes, the same secret
  BOOST_TEST((keys.looking()() == before));
  write("new\nold\n");
  const auto next = keys.looking()();
  BOOST_TEST(names(next) == "new|old");
  BOOST_TEST((keys.keys() == before));
  keys.take(next);
  BOOST_TEST((keys.looking()() == next));
  std::filesystem::permissions(secrets, std::filesystem::perms(0644));
  BOOST_TEST((keys.looking()() == next)); // said when it was read
  write("newer\n");
  std::filesystem::permissions(secrets, std::filesystem::perms(0644));
  BOOST_TEST(names(keys.looking()()) == "newer");
  log.expect("app: everybody on this machine can read the secret in");
}

BOOST_AUTO_TEST_CASE(who_follows_a_file_keeps_the_former_secret_when_it_breaks) {
  run([this](log_capture& log) -> asio::awaitable<void> {
    write("old\n");
    keyring keys = follower(co_await asio::this_coro::executor);
    write("");
    BOOST_CHECK_THROW(static_cast<void>(keys.looking()()), usage_error);
    link::shared_keys now = co_await keys.latest();
    BOOST_TEST(names(now) == "old");
    log.expect("the file is empty; write the secret into it; going on with the former secret");
    now = co_await keys.latest(); // and no other line
    std::filesystem::remove(secrets);
    now = co_await keys.latest();
    BOOST_TEST(names(now) == "old");
    log.expect("cannot read: No such file or directory");
    write("new\n");
    now = co_await keys.latest();
    BOOST_TEST(names(now) == "new");
    write("");
    now = co_await keys.latest();
    BOOST_TEST(names(now) == "new");
    log.expect("the file is empty"); // news again
  });
}

BOOST_AUTO_TEST_CASE(askers_at_once_share_one_look) {
  run([this](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    write("old\n");
    keyring keys = follower(where);
    write("new\n");
    std::vector<link::shared_keys> said;
    const auto ask = [&]() -> asio::awaitable<void> {
      auto now = co_await keys.latest();
      said.push_back(std::move(now));
    };
    net::task_group tasks(where, "test");
    for (int i = 0; i < 16; ++i) tasks.spawn("ask", ask()); // more than a file_worker takes
    co_await tasks.join();
    BOOST_TEST_REQUIRE(said.size() == 16U);
    for (const auto& each : said) BOOST_TEST((each == said.front() && names(each) == "new"));
  });
}

BOOST_AUTO_TEST_CASE(without_a_file_nothing_changes) {
  const keyring keys(context.get_executor(), files, {{secret_text("fixed")}, {}}, false, 4);
  BOOST_TEST(keys.file() == "");
  BOOST_TEST((keys.looking()() == keys.keys()));
  BOOST_TEST(!keys.keys()->seed_peers);
}

BOOST_AUTO_TEST_SUITE_END()
