// What a peer says is shown and logged without what it would do to a terminal, to a log, or to a reader of
// JSON.
#include "e2e/native_peer.hpp"

#include "gotunnel/base/printable.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>

#include <sys/socket.h>
#include <sys/un.h>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// Clears the screen, begins a new line in two ways, turns text around in two ways, and is no UTF-8 at its
/// end.
const std::string evil = "\x1b[2J\nforged\xe2\x80\xa8\xc2\x9b"
                         "2J\xe2\x80\xae\xe2\x81\xa6\xff";
const std::string evil_shown = R"(\x1b[2J\x0aforged\xe2\x80\xa8\xc2\x9b2J\xe2\x80\xae\xe2\x81\xa6)";
/// The same in a JSON string, as far as JSON can say it.
const std::string evil_json = R"(\u001b[2J\nforged\u2028\u009b2J\u202e\u2066)";

/// Nothing but lines of printable text.
bool harmless(const std::string& text) {
  std::string without_ends = text;
  std::erase(without_ends, '\n');
  return printable(without_ends) == without_ends;
}

/// Answers one request on a server's control socket as no server would.
class hostile_control_socket {
public:
  hostile_control_socket(const scratch_directory& room, std::string answer) : answer_(std::move(answer)) {
    const auto path = room.path() / "certs/control.sock";
    std::filesystem::create_directories(path.parent_path());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 1) != 0)
      throw std::runtime_error("control.sock");
    thread_ = std::thread([this] {
      const int asker = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      std::array<char, 256> request{};
      [[maybe_unused]] const auto heard = ::read(asker, request.data(), request.size());
      [[maybe_unused]] const auto said = ::write(asker, answer_.data(), answer_.size());
      ::close(asker);
    });
  }
  hostile_control_socket(const hostile_control_socket&) = delete;
  hostile_control_socket& operator=(const hostile_control_socket&) = delete;
  ~hostile_control_socket() {
    ::shutdown(listener_, SHUT_RDWR); // when nobody has asked
    thread_.join();
    ::close(listener_);
  }

private:
  std::string answer_;
  int listener_ = -1;
  std::thread thread_;
};

run_outcome ask(const std::string& answer, const words& command) {
  const scratch_directory room;
  const hostile_control_socket server(room, answer + "\n");
  words all{"server"};
  all.insert(all.end(), command.begin(), command.end());
  return run_program(child_options{.arguments = all, .directory = room.path().string()});
}

} // namespace

BOOST_AUTO_TEST_SUITE(hostile_words)

BOOST_AUTO_TEST_CASE(a_client_cannot_write_into_the_log_of_the_server) {
  const scratch_directory room;
  for (const char* format : {"text", "json"}) {
    server_process server(room, {.more = {"-log-format", format}});
    native_peer client(server);
    BOOST_TEST(client.open());
    BOOST_TEST(client.say(R"({"type":")" + evil_json + R"(","id":1})"));
    const auto answer = client.hear_line(patience);
    BOOST_REQUIRE(answer.has_value());
    BOOST_TEST(harmless(*answer), *answer);
    BOOST_TEST(server.child().wait_for(output::err, "unknown type", patience).has_value());
    BOOST_TEST(server.stop() == 0);
    BOOST_TEST(harmless(server.log()), server.log());
  }
}

BOOST_AUTO_TEST_CASE(what_the_server_quotes_to_a_client_is_whole_utf_8) {
  const scratch_directory room;
  server_process server(room);
  native_peer client(server);
  BOOST_TEST(client.open());
  // The quotation ends within the character that takes three bytes.
  BOOST_TEST(client.say(R"({"type":")" + std::string(62, 'x') + "\xe2\x82\xac" + R"(","id":1})"));
  const auto answer = client.hear_line(patience);
  BOOST_REQUIRE(answer.has_value());
  boost::system::error_code ec;
  static_cast<void>(boost::json::parse(*answer, ec));
  BOOST_TEST(!ec, *answer);
}

BOOST_AUTO_TEST_CASE(a_server_cannot_write_to_the_terminal_of_whoever_asks_it) {
  const std::string status =
      R"({"version":"EVIL","pid":1,"uptime_seconds":1,"listen":"EVIL","workers":1,"memory":{"waiting":0,"limit":0},)"
      R"("counters":{"EVIL":1},"ports":[{"port":1,"client":"EVIL","since":"EVIL"}]})";
  const std::string reload =
      R"({"certificate":{"changed":true,"valid_until":"EVIL"},"secrets":{"count":1,"changed":true,"from_file":true}})";
  const auto with = [](std::string text, const std::string& words) {
    for (auto at = text.find("EVIL"); at != text.npos; at = text.find("EVIL")) text.replace(at, 4, words);
    return text;
  };
  struct sample {
    words command;
    std::string answer;
  };
  const sample samples[] = {{{"status"}, status},
                            {{"reload"}, reload},
                            {{"status"}, R"({"error":"EVIL"})"},
                            {{"reload"}, R"({"error":"EVIL"})"},
                            {{"upgrade"}, R"({"error":"EVIL"})"}};
  for (const sample& each : samples) {
    BOOST_TEST_CONTEXT(each.command.front() << " " << each.answer) {
      const auto shown = ask(with(each.answer, evil_json), each.command);
      BOOST_TEST(harmless(shown.out), shown.out);
      BOOST_TEST(harmless(shown.err), shown.err);
      BOOST_TEST((shown.out + shown.err).find(evil_shown) != std::string::npos, shown.out << shown.err);
    }
  }
  for (const char* command : {"status", "upgrade", "reload"}) {
    // Raw bytes where JSON would have escapes; for programs the answer stays what it was, as far as it was
    // text.
    const std::string evil_answer = R"({"version":")" + evil + "\"}";
    const auto raw = ask(evil_answer.substr(0, evil_answer.find('\n')) + "\"}", {command, "-json"});
    BOOST_TEST(harmless(raw.out + raw.err), raw.out << raw.err);
  }
  const auto json = ask(with(status, evil_json), {"status", "-json"});
  boost::system::error_code ec;
  const auto value = boost::json::parse(json.out, ec);
  BOOST_REQUIRE_MESSAGE(!ec, json.out);
  BOOST_TEST(harmless(json.out));
  BOOST_TEST((value == boost::json::parse(with(status, evil_json))));
}

BOOST_AUTO_TEST_CASE(what_was_typed_is_shown_harmlessly_too) {
  for (const words& arguments :
       {words{evil}, words{"server", "-listen", evil}, words{"client", "-server", evil},
        words{"pki", "show", "-certs", evil}, words{"pki", evil}}) {
    const auto outcome = run_program(arguments);
    BOOST_TEST(outcome.code == 2);
    BOOST_TEST(harmless(outcome.err), outcome.err);
  }
}

BOOST_AUTO_TEST_SUITE_END()
