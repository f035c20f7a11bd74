// Where a secret is in memory: once in a process that needs it, nowhere once it was changed, and never in
// what starts the next server. As root, who may look into any process.
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <sys/stat.h>
#include <unistd.h>

using namespace gotunnel::testing;

namespace {

// Longer than what a string keeps in itself, and shorter.
const std::string long_secret = "long-sesame-of-seventeen-barleycorns";
const std::string short_secret = "q7sesame!kT";

/// A room, and what root may do in it.
struct memory : scratch_directory {
  void write_secret(const std::string& text) const {
    spill(path() / "half-written", text + "\n");
    std::filesystem::permissions(path() / "half-written", std::filesystem::perms(0600));
    std::filesystem::rename(path() / "half-written", path() / "secret");
  }
  [[nodiscard]] run_outcome order(const words& what) const {
    words arguments{"server"};
    arguments.insert(arguments.end(), what.begin(), what.end());
    return run_program(child_options{.arguments = arguments, .directory = path().string()});
  }
};

bool may_look() {
  if (::geteuid() != 0) BOOST_TEST_MESSAGE("skipped: needs root");
  if (sanitized) BOOST_TEST_MESSAGE("skipped: a sanitizer keeps what was freed");
  return ::geteuid() == 0 && !sanitized;
}

std::string environment_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/environ", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Ends a server that another has started.
class successor {
public:
  successor() = default;
  successor(const successor&) = delete;
  successor& operator=(const successor&) = delete;
  ~successor() {
    if (process_ > 0) ::kill(process_, SIGKILL);
  }

  /// `gotunnel server upgrade`.
  void follow(const memory& room) {
    const auto outcome = room.order({"upgrade", "-json"});
    BOOST_TEST_REQUIRE(outcome.code == 0, outcome.err);
    process_ = static_cast<pid_t>(boost::json::parse(outcome.out).as_object().at("pid").as_int64());
  }
  [[nodiscard]] pid_t pid() const noexcept { return process_; }
  [[nodiscard]] std::filesystem::path facts() const { return "/proc/" + std::to_string(process_); }

private:
  pid_t process_ = -1;
};

/// In the server: one. In what starts the next one, and in what all of them show to others: none.
void check_server(pid_t server, const std::string& secret) {
  BOOST_TEST(copies_in_memory(server, secret) == 1U);
  BOOST_TEST(environment_of(server).find(secret) == std::string::npos);
  const auto starters = children_of(server);
  BOOST_TEST_REQUIRE(starters.size() == 1U);
  BOOST_TEST(copies_in_memory(starters.front(), secret) == 0U);
  BOOST_TEST(environment_of(starters.front()).find(secret) == std::string::npos);
}

struct way {
  std::string name;
  words options;
  std::string environment; ///< GOTUNNEL_SECRET
};

std::vector<way> ways(const std::string& secret) {
  return {{"-secret", {"-secret", secret}, "not this one"},
          {"--secret=", {"--secret=" + secret}, "not this one"},
          {"GOTUNNEL_SECRET", {}, secret},
          {"-secret-file", {"-secret-file", "secret"}, "not this one"}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(secret_copies)

BOOST_AUTO_TEST_CASE(a_process_that_needs_it_has_one) {
  if (!may_look()) return;
  for (const std::string& secret : {long_secret, short_secret}) {
    for (const way& each : ways(secret)) {
      BOOST_TEST_CONTEXT(each.name << " of " << secret.size() << " bytes") {
        const memory room;
        room.write_secret(secret);
        server_process server(room, {.more = each.options, .secret = each.environment});
        const local_service echo(local_service::echo);
        client_process client(room, server, echo.port(), {.more = each.options, .secret = each.environment});
        BOOST_TEST(visit(client.public_port(), "hello") == "hello");
        check_server(server.child().pid(), secret);
        BOOST_TEST(copies_in_memory(client.child().pid(), secret) == 1U);
        BOOST_TEST(environment_of(client.child().pid()).find(secret) == std::string::npos);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(one_that_was_changed_is_gone) {
  if (!may_look()) return;
  const memory room;
  room.write_secret(long_secret);
  const way from_file = ways(long_secret).back();
  server_process server(room, {.more = from_file.options, .secret = from_file.environment});
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port(),
                        {.more = from_file.options, .secret = from_file.environment});
  const std::string newer = "newer-" + std::string(short_secret.rbegin(), short_secret.rend());
  room.write_secret(newer);
  BOOST_TEST(room.order({"reload"}).code == 0);
  check_server(server.child().pid(), newer);
  BOOST_TEST(copies_in_memory(server.child().pid(), long_secret) == 0U);
  BOOST_TEST(copies_in_memory(children_of(server.child().pid()).front(), long_secret) == 0U);

  // The client reads it when it dials.
  BOOST_TEST(server.stop() == 0);
  server_process again(room, {.more = from_file.options, .secret = "", .listen = server.address()});
  client.wait_until_ready();
  BOOST_TEST(copies_in_memory(client.child().pid(), newer) == 1U);
  BOOST_TEST(copies_in_memory(client.child().pid(), long_secret) == 0U);
}

BOOST_AUTO_TEST_CASE(the_next_process_gets_it_without_showing_it) {
  if (!may_look()) return;
  for (const way& each : ways(long_secret)) {
    BOOST_TEST_CONTEXT(each.name) {
      const memory room;
      room.write_secret(long_secret);
      server_process server(room, {.more = each.options, .secret = each.environment});
      const local_service echo(local_service::echo);
      client_process client(room, server, echo.port(), {.secret = long_secret});
      successor next;
      for (int i = 0; i < 2; ++i) {
        next.follow(room);
        check_server(next.pid(), long_secret);
        BOOST_TEST(slurp(next.facts() / "cmdline").find(long_secret) == std::string::npos);
        for (const auto& open : std::filesystem::directory_iterator(next.facts() / "fd"))
          BOOST_TEST(std::filesystem::read_symlink(open.path()).string().find("memfd") == std::string::npos);
      }
      BOOST_TEST(visit(client.public_port(), "hello") == "hello");
      client_process another(room, server, echo.port(), {.secret = long_secret});
      BOOST_TEST(visit(another.public_port(), "hello") == "hello");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_pipe_that_held_it_is_not_needed_again) {
  const memory room;
  child_options options;
  options.arguments = {
      "-c", "printf '%s\\n' \"$TOLD\" | exec \"$0\" server -secret-file /dev/stdin -listen 127.0.0.1:0",
      program()};
  options.environment = {{"TOLD", long_secret}};
  options.directory = room.path().string();
  child_process server("/bin/sh", options);
  BOOST_TEST_REQUIRE(server.wait_for(output::out, "is ready on", patience).has_value());
  successor next;
  next.follow(room);
}

BOOST_AUTO_TEST_CASE(nobody_of_the_same_user_looks_into_it_and_it_leaves_no_core) {
  if (!may_look()) return;
  const memory room;
  std::filesystem::permissions(room.path(), std::filesystem::perms(0777));
  child_options options;
  options.arguments = {"--reuid", "nobody", "--clear-groups", program(), "server", "-listen", "127.0.0.1:0"};
  options.environment = {{"GOTUNNEL_SECRET", long_secret}};
  options.directory = room.path().string();
  child_process server("/usr/bin/setpriv", options);
  BOOST_TEST_REQUIRE(server.wait_for(output::out, "is ready on", patience).has_value(),
                     server.captured(output::err));
  auto all = children_of(server.pid());
  all.push_back(server.pid());
  for (const pid_t each : all) {
    struct ::stat of_root {};
    BOOST_TEST(::stat(("/proc/" + std::to_string(each) + "/environ").c_str(), &of_root) == 0);
    BOOST_TEST(of_root.st_uid == 0U);
    std::ifstream limits("/proc/" + std::to_string(each) + "/limits");
    const std::string text{std::istreambuf_iterator<char>(limits), {}};
    BOOST_TEST(text.find("Max core file size        0                    0 ") != std::string::npos, text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
