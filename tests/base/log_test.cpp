#include "gotunnel/base/log.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>
#include <string>

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace gotunnel;

namespace {

/// Catches what goes to standard error while it lives, and leaves the log as the other tests expect it: quiet
/// and plain.
class caught_log {
public:
  explicit caught_log(const log::options& chosen)
      : file_(::memfd_create("log", 0)), before_(::dup(STDERR_FILENO)) {
    BOOST_REQUIRE((file_ >= 0 && before_ >= 0));
    ::dup2(file_, STDERR_FILENO);
    log::setup(chosen);
  }
  ~caught_log() {
    log::setup({.least = log::level::warning});
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
    ::close(file_);
  }
  caught_log(const caught_log&) = delete;
  caught_log& operator=(const caught_log&) = delete;

  [[nodiscard]] std::string text() const {
    std::string all(1024UL * 1024, '\0');
    all.resize(static_cast<std::size_t>(std::max<ssize_t>(::pread(file_, all.data(), all.size(), 0), 0)));
    return all;
  }

private:
  int file_;
  int before_;
};

/// The next line without its time, whose form is checked here.
std::string without_time(std::istream& lines) {
  std::string line;
  std::getline(lines, line);
  std::string form = line.substr(0, line.find(' '));
  for (char& c : form)
    if (c >= '0' && c <= '9') c = '0';
  BOOST_TEST(form == "0000-00-00T00:00:00.000000Z");
  return line.substr(std::min(line.size(), form.size() + 1));
}

} // namespace

BOOST_AUTO_TEST_SUITE(base_log)

BOOST_AUTO_TEST_CASE(a_line_has_time_level_channel_sentence_and_values) {
  const caught_log log({.least = log::level::info});
  log::info("reverse", "port {} opened", 8080);
  log::write(log::level::warning, "net", "slow peer", {{"client", "a1"}, {"seconds", "15"}});
  std::istringstream lines(log.text());
  BOOST_TEST(without_time(lines) == "info  reverse: port 8080 opened");
  BOOST_TEST(without_time(lines) == "warn  net: slow peer client=a1 seconds=15");
  BOOST_TEST((lines.peek() == std::istringstream::traits_type::eof()));
}

BOOST_AUTO_TEST_CASE(lines_below_the_least_level_are_not_written) {
  const caught_log log({.least = log::level::warning});
  log::debug("net", "no");
  log::info("net", "no");
  log::write(log::level::info, "net", "no");
  BOOST_TEST(log.text().empty());
  BOOST_TEST(!log::enabled(log::level::info));
  BOOST_TEST(log::enabled(log::level::error));
  log::error("net", "yes");
  BOOST_TEST(log.text().ends_with(" error net: yes\n"));
}

BOOST_AUTO_TEST_CASE(bytes_of_a_stranger_cannot_forge_a_line) {
  const caught_log log({.least = log::level::info});
  log::write(log::level::info, "net", "name\n2026 error app: forged\x1b[2J\x7f", {{"peer", "a\r\tb"}});
  const std::string text = log.text();
  BOOST_TEST(text.ends_with(R"(net: name\x0a2026 error app: forged\x1b[2J\x7f peer=a\x0d\x09b)"
                            "\n"),
             text);
  BOOST_TEST(std::ranges::count(text, '\n') == 1);
}

BOOST_AUTO_TEST_CASE(json_is_one_object_a_line) {
  const caught_log log({.least = log::level::info, .form = log::format::json, .colour = true});
  log::write(log::level::error, "mux", "broken \"frame\"\n", {{"stream", "3"}});
  const std::string text = log.text();
  BOOST_TEST(std::ranges::count(text, '\n') == 1);
  const auto line = boost::json::parse(text).as_object();
  BOOST_TEST((line.at("level") == "error"));
  BOOST_TEST((line.at("channel") == "mux"));
  BOOST_TEST((line.at("message") == "broken \"frame\"\\x0a"));
  BOOST_TEST((line.at("stream") == "3"));
  BOOST_TEST(line.at("time").as_string().size() == std::string_view("2026-01-01T00:00:00.000000Z").size());
}

BOOST_AUTO_TEST_CASE(colour_is_for_text_and_only_when_asked) {
  {
    const caught_log log({.least = log::level::info, .colour = true});
    log::error("net", "red");
    BOOST_TEST(log.text().find("\x1b[31merror\x1b[0m net: red") != std::string::npos);
  }
  const caught_log log({.least = log::level::info});
  log::error("net", "plain");
  BOOST_TEST(log.text().find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_line_with_a_limit_does_not_flood_the_log) {
  const caught_log log({.least = log::level::info});
  log::limit often(1h, 2);
  for (int i = 0; i < 10; ++i) log::info(often, "reverse", "client {} connected", i);
  log::debug("reverse", "unlimited, and below the level");
  const std::string text = log.text();
  BOOST_TEST(std::ranges::count(text, '\n') == 2);
  BOOST_TEST(text.ends_with("client 1 connected\n"), text);
}

BOOST_AUTO_TEST_CASE(the_next_line_says_how_many_were_held_back) {
  const caught_log log({.least = log::level::info});
  log::limit often(20ms, 1);
  log::warn(often, "net", "first");
  for (int i = 0; i < 1000 && log.text().find("next") == std::string::npos; ++i) {
    log::warn(often, "net", "next");
    ::poll(nullptr, 0, 1);
  }
  BOOST_TEST(log.text().find(" more since the last such line)\n") != std::string::npos, log.text());
}

BOOST_AUTO_TEST_CASE(diverted_lines_have_no_limit) {
  int heard = 0;
  const log::listener listener = [&heard](log::level, std::string_view, std::string_view) { ++heard; };
  log::divert(&listener);
  log::limit often(1h, 1);
  for (int i = 0; i < 10; ++i) log::warn(often, "net", "again");
  log::divert(nullptr);
  BOOST_TEST(heard == 10);
}

BOOST_AUTO_TEST_CASE(levels_have_names) {
  BOOST_TEST((log::parse_level("trace") == log::level::trace));
  BOOST_TEST((log::parse_level("debug") == log::level::debug));
  BOOST_TEST((log::parse_level("info") == log::level::info));
  BOOST_TEST((log::parse_level("warn") == log::level::warning));
  BOOST_TEST((log::parse_level("warning") == log::level::warning));
  BOOST_TEST((log::parse_level("error") == log::level::error));
  for (const char* name : {"", "INFO", "warn ", "fatal", "0"}) BOOST_TEST(!log::parse_level(name), name);
}

BOOST_AUTO_TEST_SUITE_END()
