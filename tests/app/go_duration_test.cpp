#include "gotunnel/app/go_duration.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace gotunnel;
using app::parse_duration;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(go_duration)

BOOST_AUTO_TEST_CASE(durations_as_go_writes_them) {
  const std::pair<std::string, duration> cases[]{
      {"0", 0s},
      {"0s", 0s},
      {"+0", 0s},
      {"5s", 5s},
      {"+5s", 5s},
      {"300ms", 300ms},
      {"1.5h", 90min},
      {"1h30m", 90min},
      {"1m30s", 90s},
      {".5s", 500ms},
      {"1.s", 1s},
      {"100us", 100us},
      {"100\xc2\xb5s", 100us},
      {"100\xce\xbcs", 100us},
      {"7ns", 7ns},
      {"1h2m3s4ms5us6ns", 1h + 2min + 3s + 4ms + 5us + 6ns},
      {"2500000h", 2500000h},
  };
  for (const auto& [text, expected] : cases) {
    const auto read = parse_duration(text);
    BOOST_TEST_REQUIRE(read.has_value(), text);
    BOOST_TEST((*read == expected), text << " is " << read->count() << " ns");
  }
}

BOOST_AUTO_TEST_CASE(what_is_none) {
  for (const std::string text :
       {"",     "+",    "-",     "5",    "1.5",  "s",        ".s",
        ".",    "5 s",  " 5s",   "5s ",  "5S",   "5d",       "5sec",
        "1m30", "-5s",  "-0s",   "1e3s", "0x1s", "infs",     "nans",
        "5--s", "--5s", "1h-5m", "++5s", "+-5s", "9999999h", "99999999999999999999999999s"})
    BOOST_TEST(!parse_duration(text).has_value(), "\"" << text << "\" was read");
}

BOOST_AUTO_TEST_SUITE_END()
