#include "link_settings.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace gotunnel::wan {
namespace {

link_settings with(std::string_view name, std::string_view value) {
  link_settings settings;
  change(settings, name, value);
  return settings;
}

/// One line that names the setting and the value.
void refuses(std::string_view name, std::string_view value) {
  BOOST_TEST_CONTEXT(name << " " << value) {
    link_settings settings{.delay = 7ms};
    const auto says_what = [&](const usage_error& e) {
      const std::string text = e.what();
      return text.find(name) != std::string::npos && text.find(value) != std::string::npos &&
             text.find('\n') == std::string::npos;
    };
    BOOST_CHECK_EXCEPTION(change(settings, name, value), usage_error, says_what);
    BOOST_TEST((settings.delay == 7ms));
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(wan_link_settings)

BOOST_AUTO_TEST_CASE(rates) {
  BOOST_TEST(with("rate", "100mbit").rate == 100'000'000U);
  BOOST_TEST(with("rate", "1.5gbit").rate == 1'500'000'000U);
  BOOST_TEST(with("rate", "64kbit").rate == 64'000U);
  BOOST_TEST(with("rate", "9600bit").rate == 9'600U);
  BOOST_TEST(with("rate", "unlimited").rate == 0U);
  for (const char* const wrong : {"", "100", "mbit", "-1mbit", "1 mbit", "0mbit", "1bit", "2000gbit",
                                  "nanmbit", "infmbit", "1e3mbit", "1mbits"})
    refuses("rate", wrong);
}

BOOST_AUTO_TEST_CASE(durations) {
  BOOST_TEST((with("delay", "50ms").delay == 50ms));
  BOOST_TEST((with("delay", "0").delay == 0ms));
  BOOST_TEST((with("delay", "1.5s").delay == 1500ms));
  for (const char* const wrong : {"", "50", "-1ms", "2h", "auto", "ms"}) refuses("delay", wrong);
}

BOOST_AUTO_TEST_CASE(shares) {
  BOOST_TEST(with("loss", "0.1%").loss == 0.001);
  BOOST_TEST(with("loss", "100%").loss == 1.0);
  BOOST_TEST(with("reorder", "0").reorder == 0.0);
  for (const char* const wrong : {"", "1", "0.5", "101%", "-1%", "%", "1%%", "nan%"}) refuses("loss", wrong);
}

BOOST_AUTO_TEST_CASE(a_queue_is_given_or_a_round_trips_worth) {
  BOOST_TEST(with("queue", "7").queue_limit() == 7U);
  for (const char* const wrong : {"", "0", "-1", "1.5", "1000001", "7p"}) refuses("queue", wrong);
  link_settings settings = with("queue", "auto");
  BOOST_TEST(settings.queue_limit() == 500U);
  settings.delay = 60ms;
  settings.rate = 1'000'000'000;
  BOOST_TEST(settings.queue_limit() == 10'000U);
  settings.delay = 1h;
  BOOST_TEST(settings.queue_limit() == 1'000'000U);
}

BOOST_AUTO_TEST_CASE(lateness_is_given_or_a_quarter_of_the_delay) {
  BOOST_TEST((with("reorder-by", "7ms").lateness() == 7ms));
  link_settings settings = with("reorder-by", "auto");
  BOOST_TEST((settings.lateness() == 1ms));
  settings.delay = 50ms;
  BOOST_TEST((settings.lateness() == 12500us));
}

BOOST_AUTO_TEST_CASE(nothing_else_can_be_set) { BOOST_CHECK_THROW(with("dellay", "1ms"), usage_error); }

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wan
