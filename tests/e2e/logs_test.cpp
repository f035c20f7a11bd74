// What the programs log, and where that goes when nobody takes it.
#include "e2e/process_facts.hpp"
#include "e2e/refusal.hpp"
#include "e2e/terminal.hpp"
#include "support/elapsed.hpp"

#include <boost/json/parse.hpp>

#include <array>
#include <sstream>

#include <fcntl.h>

using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

/// Each line must be one object with the four members that every line has.
void check_json_lines(const std::string& log) {
  BOOST_TEST(!log.empty());
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    boost::system::error_code ec;
    const auto value = boost::json::parse(line, ec);
    BOOST_REQUIRE_MESSAGE(!ec && value.is_object(), "not an object: " << line);
    for (const char* name : {"time", "level", "channel", "message"})
      BOOST_TEST(value.as_object().contains(name), "no " << name << " in: " << line);
  }
}

/// A pipe of one page that is full, as one that nobody has read for long. The program gets its end as it is.
class full_pipe {
public:
  explicit full_pipe(int flags) {
    if (::pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK) != 0 || ::fcntl(ends_[1], F_SETPIPE_SZ, 4096) != 4096)
      throw std::runtime_error("pipe");
    while (::write(ends_[1], "x", 1) == 1) {
    }
    ::fcntl(ends_[1], F_SETFL, flags);
  }
  full_pipe(const full_pipe&) = delete;
  full_pipe& operator=(const full_pipe&) = delete;
  ~full_pipe() {
    for (const int each : ends_) ::close(each);
  }
  [[nodiscard]] int end() const noexcept { return ends_[1]; }

  /// Reads on until `text` has come. False when it does not.
  bool brings(std::string_view text) {
    std::array<char, 4096> piece{};
    pollfd readable{ends_[0], POLLIN, 0};
    while (text_.find(text) == std::string::npos) {
      if (::poll(&readable, 1, static_cast<int>(patience / 1ms)) <= 0) return false;
      const ssize_t count = ::read(ends_[0], piece.data(), piece.size());
      if (count <= 0) return false;
      text_.append(piece.data(), static_cast<std::size_t>(count));
    }
    return true;
  }

private:
  std::array<int, 2> ends_{};
  std::string text_;
};

/// Visits that leave some lines each in the log of either side.
void visit_often(std::uint16_t port) {
  for (int i = 0; i < 60; ++i) BOOST_TEST(visit(port, "hello") == "hello");
}

} // namespace

BOOST_AUTO_TEST_SUITE(logs)

BOOST_AUTO_TEST_CASE(json_is_one_object_a_line) {
  const scratch_directory room;
  server_setup setup;
  setup.more = {"-log-format", "json", "-log-level", "trace"};
  server_process server(room, setup);
  const local_service echo(local_service::echo);
  client_setup with;
  with.more = setup.more;
  client_process client(room, server, echo.port(), with);
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  // A stranger's bytes end up in a log line.
  loopback_socket::connect(server.port()).write("GET / HTTP/1.1\r\n\r\n\"\x1b[31m\xff\xfe");
  with.more.insert(with.more.end(), {"-no-retry", "-secret", "wrong"});
  with.wait_until_ready = false;
  client_process stranger(room, server, echo.port(), with);
  BOOST_TEST(stranger.child().wait(patience).value().code == 1);
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(server.stop() == 0);
  check_json_lines(server.log());
  check_json_lines(client.log());
  check_json_lines(stranger.log());
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_text_still_make_valid_json) {
  const scratch_directory room;
  spill(room.path() / "s\xff\"\n", "x\n");
  std::filesystem::permissions(room.path() / "s\xff\"\n", std::filesystem::perms(0644));
  server_setup setup;
  setup.more = {"-log-format", "json", "-secret-file", "s\xff\"\n"};
  server_process server(room, setup);
  BOOST_TEST(server.stop() == 0);
  check_json_lines(server.log());
  BOOST_TEST(server.log().find('\xff') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_level_decides_what_is_said) {
  const scratch_directory room;
  server_setup setup;
  setup.more = {"-log-level", "error"};
  server_process server(room, setup);
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(server.log() == "");
}

BOOST_AUTO_TEST_CASE(a_log_that_nobody_reads_holds_nobody_up) {
  const full_pipe err(0);
  const scratch_directory room;
  const local_service echo(local_service::echo);
  server_setup setup;
  setup.more = {"-log-level", "debug", "-workers", "2"};
  setup.err = err.end();
  server_process server(room, setup);
  client_process client(room, server, echo.port());
  visit_often(client.public_port());
  BOOST_TEST(client.stop() == 0);
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(seconds_since(start) < (sanitized ? 10 : 4));
}

BOOST_AUTO_TEST_CASE(a_log_that_took_nothing_for_a_moment_goes_on) {
  full_pipe err(O_NONBLOCK);
  const scratch_directory room;
  const local_service echo(local_service::echo);
  server_setup setup;
  setup.err = err.end();
  server_process server(room, setup);
  client_process client(room, server, echo.port());
  BOOST_TEST(err.brings(" connected"));
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(err.brings(" disconnected"));
  server.child().signal(SIGTERM);
  BOOST_TEST(err.brings(" app: stopped\n"));
  const auto ended = server.child().wait(patience); // a second signal would end it at once
  BOOST_TEST_REQUIRE(ended.has_value());
  BOOST_TEST(ended->code == 0);
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_no_trouble_for_visitors) {
  const int disk = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  const scratch_directory room;
  const local_service echo(local_service::echo);
  server_setup setup;
  setup.more = {"-log-level", "debug"};
  setup.err = disk;
  server_process server(room, setup);
  client_process client(room, server, echo.port());
  visit_often(client.public_port());
  BOOST_TEST(client.stop() == 0);
  BOOST_TEST(server.stop() == 0);
  ::close(disk);
}

BOOST_AUTO_TEST_CASE(a_ready_line_that_nobody_reads_holds_nobody_up) {
  const full_pipe out(0);
  const scratch_directory room;
  const local_service echo(local_service::echo);
  server_process server(room);
  client_setup with;
  with.out = out.end();
  with.wait_until_ready = false;
  client_process client(room, server, echo.port(), with);
  const auto line = server.child().wait_for(output::err, " reverse: port ", patience);
  BOOST_REQUIRE(line.has_value());
  const auto port = std::stoi(line->substr(line->find(" port ") + 6));
  visit_often(static_cast<std::uint16_t>(port));
  BOOST_TEST(client.stop() == 0);
}

BOOST_AUTO_TEST_CASE(the_last_words_of_a_wrong_start_come_out_in_order) {
  const scratch_directory room;
  spill(room.path() / "secret", "0123456789abcdef0123456789abcdef\n");
  std::filesystem::permissions(room.path() / "secret", std::filesystem::perms(0644));
  spill(room.path() / "certs", "no directory");
  const auto outcome =
      run_program(child_options{.arguments = {"server", "-listen", "127.0.0.1:0", "-secret-file", "secret"},
                                .directory = room.path().string()});
  BOOST_TEST(outcome.code == 2);
  const auto warning = outcome.err.find("everybody on this machine can read the secret");
  const auto end = outcome.err.find("gotunnel: ");
  BOOST_TEST(warning != std::string::npos);
  BOOST_TEST(end != std::string::npos);
  BOOST_TEST(warning < end);
}

BOOST_AUTO_TEST_CASE(colours_are_for_terminals_and_for_those_who_want_them) {
  const scratch_directory room;
  spill(room.path() / "secret", "x\n");
  std::filesystem::permissions(room.path() / "secret", std::filesystem::perms(0644));
  const words arguments{"server", "-listen", "127.0.0.1:0", "-secret-file", "secret"};
  const std::string last = "-local-target";
  const auto coloured = [](const std::string& text) { return text.find('\x1b') != std::string::npos; };
  BOOST_TEST(coloured(terminal_process(arguments, {}, room).read_until(last)));
  BOOST_TEST(coloured(terminal_process(arguments, {{"NO_COLOR", ""}}, room).read_until(last)));
  BOOST_TEST(!coloured(terminal_process(arguments, {{"NO_COLOR", "1"}}, room).read_until(last)));
  server_setup setup;
  setup.more = {"-secret-file", "secret"};
  server_process server(room, setup);
  BOOST_TEST(server.stop() == 0);
  BOOST_TEST(!coloured(server.log()));
}

BOOST_AUTO_TEST_SUITE_END()
