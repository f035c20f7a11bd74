#include "gotunnel/base/printable.hpp"

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace gotunnel;

namespace {

struct sample {
  std::string text;
  std::string shown;
  std::string in_json;
};

// A text, how it is shown, and how it is shown inside of a JSON string.
const sample samples[] = {
    {"plain, and <html> 'quoted'", "plain, and <html> 'quoted'", "plain, and <html> 'quoted'"},
    {"h\xc3\xa4user \xe2\x82\xac \xf0\x9f\x98\x80", "h\xc3\xa4user \xe2\x82\xac \xf0\x9f\x98\x80",
     "h\xc3\xa4user \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"a\nb\r\tc", R"(a\x0ab\x0d\x09c)", R"(a\u000ab\u000d\u0009c)"},
    {"\x1b[2J\x7f", R"(\x1b[2J\x7f)", R"(\u001b[2J\u007f)"},
    {std::string("zero\0byte", 9), R"(zero\x00byte)", R"(zero\u0000byte)"},
    {"next\xc2\x85line \xc2\x9b"
     "2J",
     R"(next\xc2\x85line \xc2\x9b2J)", R"(next\u0085line \u009b2J)"},
    {"\xe2\x80\xa8 and \xe2\x80\xa9", R"(\xe2\x80\xa8 and \xe2\x80\xa9)", R"(\u2028 and \u2029)"},
    {"\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae",
     R"(\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae)", R"(\u202a\u202b\u202c\u202d\u202e)"},
    {"\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9",
     R"(\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9)", R"(\u2066\u2067\u2068\u2069)"},
    {"\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", R"(\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c)", R"(\u200e\u200f\u061c)"},
    // Neighbours of those that are escaped.
    {"\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
     "\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
     "\xc2\xa0\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"},
    // No UTF-8: alone, cut off, longer than needed, half of a pair, beyond the end.
    {"\xff\xfe", R"(\xff\xfe)", R"(\ufffd\ufffd)"},
    {"end\xe2\x82", R"(end\xe2\x82)", R"(end\ufffd\ufffd)"},
    {"\xc0\xaf", R"(\xc0\xaf)", R"(\ufffd\ufffd)"},
    {"\xe0\x80\xaf", R"(\xe0\x80\xaf)", R"(\ufffd\ufffd\ufffd)"},
    {"\xf0\x80\x80\xaf", R"(\xf0\x80\x80\xaf)", R"(\ufffd\ufffd\ufffd\ufffd)"},
    {"\xed\xa0\x80", R"(\xed\xa0\x80)", R"(\ufffd\ufffd\ufffd)"},
    {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)", R"(\ufffd\ufffd\ufffd\ufffd)"},
    {"\xe2\x80\xff", R"(\xe2\x80\xff)", R"(\ufffd\ufffd\ufffd)"},
    {"", "", ""}};

} // namespace

BOOST_AUTO_TEST_SUITE(base_printable)

BOOST_AUTO_TEST_CASE(nothing_that_moves_the_cursor_or_turns_text_around_is_left) {
  for (const sample& each : samples) BOOST_TEST(printable(each.text) == each.shown);
}

BOOST_AUTO_TEST_CASE(json_keeps_its_meaning) {
  for (const sample& each : samples) {
    const std::string json = printable_json("[\"" + each.text + "\"]");
    BOOST_TEST(json == "[\"" + each.in_json + "\"]");
    boost::system::error_code ec;
    static_cast<void>(boost::json::parse(json, ec));
    BOOST_TEST(!ec, json);
  }
}

BOOST_AUTO_TEST_SUITE_END()
