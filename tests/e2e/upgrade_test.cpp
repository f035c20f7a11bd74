// Another process goes on where the server was: nobody who can be kept is lost, and a new process that fails
// changes nothing.
#include "e2e/bulk.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t megabyte = 1024UL * 1024;
constexpr std::size_t amount = (sanitized ? 4 : 32) * megabyte;

run_outcome order(const scratch_directory& room, const words& what) {
  child_options options;
  options.arguments = {"server"};
  options.arguments.insert(options.arguments.end(), what.begin(), what.end());
  options.directory = room.path().string();
  return run_program(options);
}

/// The processes that come after the one that the test has started. They are no children of it.
class successors {
public:
  explicit successors(const scratch_directory& room) : room_(room) {}
  successors(const successors&) = delete;
  successors& operator=(const successors&) = delete;
  ~successors() {
    for (const pid_t each : all_) ::kill(each, SIGKILL);
  }

  /// `gotunnel server upgrade`; what it said.
  boost::json::object upgrade() {
    const auto outcome = order(room_, {"upgrade", "-json"});
    BOOST_TEST_REQUIRE(outcome.code == 0, outcome.err);
    auto said = boost::json::parse(outcome.out).as_object();
    add(static_cast<pid_t>(said.at("pid").as_int64()));
    return said;
  }
  void add(pid_t process) { all_.push_back(process); }
  [[nodiscard]] pid_t last() const { return all_.back(); }
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  /// Whom the server's directory answers for.
  [[nodiscard]] pid_t serving() const {
    const auto outcome = order(room_, {"status", "-json"});
    if (outcome.code != 0) return -1;
    return static_cast<pid_t>(boost::json::parse(outcome.out).as_object().at("pid").as_int64());
  }

private:
  const scratch_directory& room_;
  std::vector<pid_t> all_;
};

struct stage {
  explicit stage(words for_server = {}, words for_client = {}, std::string program_file = {})
      : server(room, {.more = std::move(for_server), .program = std::move(program_file)}),
        client(room, server, echo.port(), {.more = std::move(for_client)}), next(room) {}

  [[nodiscard]] loopback_socket come() const {
    auto visitor = loopback_socket::connect(client.public_port());
    visitor.limit(patience);
    return visitor;
  }

  scratch_directory room;
  server_process server;
  local_service echo{local_service::echo};
  client_process client;
  successors next;
};

std::string ask(const loopback_socket& visitor, const std::string& text) {
  visitor.write(text);
  return visitor.read(text.size());
}

/// The bytes of a file that is no regular one.
std::string content(const std::filesystem::path& file) {
  std::ifstream from(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(from), {}};
}

/// A visitor that sends and receives at once; how many bytes came back right.
std::size_t transfer(std::uint16_t port, std::uint64_t seed) {
  const auto socket = loopback_socket::connect(port);
  socket.limit(60s);
  std::thread sender([&] {
    send_pattern(socket, amount, seed);
    socket.shutdown_write();
  });
  const std::size_t right = receive_pattern(socket, seed);
  sender.join();
  return right;
}

} // namespace

BOOST_AUTO_TEST_SUITE(upgrade)

BOOST_AUTO_TEST_CASE(visitors_of_every_kind_go_on_through_one_after_the_other) {
  for (const char* carriers : {"1", "3"}) {
    stage s({"-workers", "2"}, {"-carriers", carriers});
    const auto quiet = s.come();
    BOOST_TEST(ask(quiet, "before") == "before");
    // One that has heard all and is still to speak, and one that does not read until every buffer on its way
    // is full, there and back.
    const auto listening = s.come();
    listening.write("to be answered");
    listening.shutdown_write();
    const auto lazy = s.come();
    std::thread pushing([&] { send_pattern(lazy, 3 * amount, 9); });
    std::vector<std::thread> busy;
    std::atomic<std::size_t> right = 0;
    for (std::uint64_t seed = 1; seed <= 3; ++seed)
      busy.emplace_back([&, seed] { right += transfer(s.client.public_port(), seed); });

    for (int i = 0; i < 3; ++i) {
      const auto said = s.next.upgrade();
      BOOST_TEST(said.at("clients").to_number<int>() == std::stoi(carriers));
      BOOST_TEST(said.at("ports").to_number<int>() == 1);
      BOOST_TEST(s.next.serving() == s.next.last());
      BOOST_TEST(ask(quiet, "after") == "after");
    }
    for (std::thread& each : busy) each.join();
    BOOST_TEST(right == 3 * amount);
    BOOST_TEST(read_to_end(listening) == "to be answered");
    std::size_t read = 0;
    std::thread reading([&] { read = receive_pattern(lazy, 9); });
    pushing.join();
    lazy.shutdown_write();
    reading.join();
    BOOST_TEST(read == 3 * amount);
    const auto first = s.server.child().wait_for_exit(patience);
    BOOST_TEST((first && first->code == 0));
    BOOST_TEST(visit(s.client.public_port(), "new") == "new");
    BOOST_TEST(s.client.log().find("error") == std::string::npos, s.client.log());
  }
}

BOOST_AUTO_TEST_CASE(nobody_who_comes_meanwhile_is_refused) {
  stage s({"-workers", "2"});
  std::atomic<bool> enough = false;
  std::atomic<int> served = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> visitors;
  for (int i = 0; i < 2; ++i)
    visitors.emplace_back([&] {
      while (!enough) {
        try {
          ++(visit(s.client.public_port(), "hello") == "hello" ? served : failed);
        } catch (const std::exception&) {
          ++failed;
        }
      }
    });
  for (int i = 0; i < 3; ++i) BOOST_TEST(s.next.upgrade().at("upgraded").as_bool());
  enough = true;
  for (std::thread& each : visitors) each.join();
  BOOST_TEST(served > 0);
  BOOST_TEST(failed == 0);
}

BOOST_AUTO_TEST_CASE(a_signal_does_the_same) {
  stage s({"-grace", "300ms"});
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  s.server.child().signal(SIGUSR2);
  const auto first = s.server.child().wait_for_exit(patience);
  BOOST_TEST_REQUIRE((first && first->code == 0));
  s.next.add(s.next.serving());
  BOOST_TEST(ask(visitor, "after") == "after");
  // The successor is stopped as its predecessor would have been.
  ::kill(s.next.last(), SIGTERM);
  BOOST_CHECK(ends(visitor, patience) != how::not_yet);
}

BOOST_AUTO_TEST_CASE(a_client_that_cannot_come_back_to_its_session_comes_back_as_a_new_one) {
  stage s({"-grace", "300ms"}, {"-resume-window", "0"});
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  const auto said = s.next.upgrade();
  BOOST_TEST(said.at("clients").to_number<int>() == 0);
  BOOST_CHECK(ends(visitor, patience) != how::not_yet);
  s.client.wait_until_ready();
  BOOST_TEST(visit(s.client.public_port(), "again") == "again");
}

BOOST_AUTO_TEST_CASE(a_new_process_that_fails_leaves_the_old_one_serving) {
  const scratch_directory place;
  const auto file = place.path() / "gotunnel";
  std::filesystem::copy_file(program(), file);
  stage s({}, {}, file.string());
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  std::filesystem::remove(file);
  // No such program; one that cannot run; one that refuses its options; one that reads nothing and ends.
  for (const char* instead : {"",
                              "\x7f"
                              "ELF of no machine",
                              "#!/bin/sh\nexit 2\n", "#!/bin/sh\n:\n"}) {
    if (*instead != '\0') {
      spill(file, instead);
      std::filesystem::permissions(file, std::filesystem::perms(0755));
    }
    const auto outcome = order(s.room, {"upgrade"});
    BOOST_TEST(outcome.code == 1);
    BOOST_TEST(outcome.err.starts_with("gotunnel: the server was not upgraded: the new process ended before"),
               outcome.err);
    BOOST_TEST(s.next.serving() == s.server.child().pid());
    BOOST_TEST(ask(visitor, "after") == "after");
    BOOST_TEST(visit(s.client.public_port(), "new") == "new");
  }
  // The right one is found where the wrong one was.
  std::filesystem::remove(file);
  std::filesystem::copy_file(program(), file);
  BOOST_TEST(s.next.upgrade().at("visitors").to_number<int>() == 1);
  BOOST_TEST(ask(visitor, "at last") == "at last");
}

BOOST_AUTO_TEST_CASE(the_secret_stays_hidden_and_what_root_gave_up_stays_given_up) {
  const passwd* const nobody = ::getpwnam("nobody");
  const bool root = ::geteuid() == 0 && nobody != nullptr;
  words options{"-secret", test_secret};
  if (root) options.insert(options.end(), {"-user", "nobody", "-allow-ports", "443,1024-65535"});
  const scratch_directory room;
  if (root) std::filesystem::permissions(room.path(), std::filesystem::perms(0755));
  server_process server(room, {.more = options});
  successors next(room);
  BOOST_TEST(next.upgrade().at("upgraded").as_bool());
  BOOST_TEST(next.upgrade().at("upgraded").as_bool());
  std::size_t looked_at = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc")) {
    const std::string title = content(each.path() / "cmdline");
    if (title.find("-secret") == std::string::npos || title.find("server") == std::string::npos) continue;
    if (content(each.path() / "environ").find(room.path().string()) == std::string::npos &&
        std::filesystem::path(each.path().filename()) != std::to_string(next.last()))
      continue;
    BOOST_TEST(title.find(test_secret) == std::string::npos);
    ++looked_at;
  }
  BOOST_TEST(looked_at > 0U);
  const std::string facts = content("/proc/" + std::to_string(next.last()) + "/status");
  if (!sanitized) BOOST_TEST(facts.find("NoNewPrivs:\t1") != std::string::npos);
  if (!root) return;
  const std::string id = std::to_string(nobody->pw_uid);
  BOOST_TEST(facts.find("Uid:\t" + id + "\t" + id + "\t" + id) != std::string::npos);
  BOOST_TEST(facts.find("CapEff:\t0000000000000400") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
