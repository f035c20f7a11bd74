#include "options.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wan {
namespace {

using words = std::vector<std::string>;

words complete(words more) {
  more.insert(more.end(), {"--left", "l", "--right=r x"});
  return more;
}

} // namespace

BOOST_AUTO_TEST_SUITE(wan_options)

BOOST_AUTO_TEST_CASE(all_of_them) {
  const options read = parse(
      complete({"--delay", "50ms", "--rate=100mbit", "--loss", "0.1%", "--reorder", "1%", "--reorder-by",
                "3ms", "--queue", "1000", "--seed", "7", "--mtu", "9000", "--control", "/tmp/x"}));
  BOOST_TEST((read.link.delay == 50ms));
  BOOST_TEST(read.link.rate == 100'000'000U);
  BOOST_TEST(read.link.loss == 0.001);
  BOOST_TEST(read.link.reorder == 0.01);
  BOOST_TEST((read.link.lateness() == 3ms));
  BOOST_TEST(read.link.queue_limit() == 1000U);
  BOOST_TEST(read.seed == 7U);
  BOOST_TEST(read.mtu == 9000);
  BOOST_TEST(read.control == "/tmp/x");
  BOOST_TEST(read.left == "l");
  BOOST_TEST(read.right == "r x");
}

BOOST_AUTO_TEST_CASE(a_line_without_options_is_perfect) {
  const options read = parse(complete({}));
  BOOST_TEST((read.link.delay == 0ms));
  BOOST_TEST(read.link.rate == 0U);
  BOOST_TEST(read.link.loss == 0.0);
  BOOST_TEST(read.link.reorder == 0.0);
  BOOST_TEST(read.mtu == 1500);
  BOOST_TEST(read.control.empty());
}

BOOST_AUTO_TEST_CASE(a_control_path_survives_a_change_of_directory) {
  BOOST_TEST(parse(complete({"--control", "x"})).control.front() == '/');
}

BOOST_AUTO_TEST_CASE(help_needs_no_commands) {
  BOOST_TEST(parse({"--help"}).help);
  for (const char* const name : {"--left", "--delay", "--queue", "--control", "tell"})
    BOOST_TEST(help().find(name) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_in_one_line) {
  const std::pair<words, std::string> table[] = {{{}, "--left"},
                                                 {{"--left", "x"}, "--right"},
                                                 {complete({"--dellay", "1ms"}), "--dellay"},
                                                 {complete({"--del", "1ms"}), "--del"},
                                                 {complete({"--delay", "1"}), "--delay \"1\""},
                                                 {complete({"--delay", "1ms", "--delay", "2ms"}), "--delay"},
                                                 {complete({"word"}), "word"},
                                                 {complete({"--seed", "-1"}), "--seed"},
                                                 {complete({"--mtu", "100"}), "--mtu"},
                                                 {complete({"--queue", "0"}), "--queue"},
                                                 {{"--left"}, "--left"}};
  for (const auto& [given, named] : table) {
    const auto says_what = [&](const usage_error& e) {
      const std::string text = e.what();
      BOOST_TEST_MESSAGE(text);
      return text.find(named) != std::string::npos && text.find('\n') == std::string::npos;
    };
    BOOST_CHECK_EXCEPTION((void)parse(given), usage_error, says_what);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wan
