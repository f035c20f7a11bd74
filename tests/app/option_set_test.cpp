#include "gotunnel/app/option_set.hpp"

#include "gotunnel/app/usage_error.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel::app;

namespace {

const option_set tried("try", {{"name", "TEXT", "nobody", "who"},
                               {"names", "LIST", "", "who else"},
                               {"secret", "TEXT", "", "hush"},
                               {"loud", "", "", "a switch"}});

using words = std::vector<std::string>;

std::string refusal(const words& arguments) {
  try {
    static_cast<void>(tried.parse(arguments));
  } catch (const usage_error& e) {
    return e.what();
  }
  return "accepted";
}

} // namespace

BOOST_AUTO_TEST_SUITE(option_set_test)

BOOST_AUTO_TEST_CASE(defaults_stand_until_something_is_given) {
  const auto given = tried.parse({});
  BOOST_TEST(given.text("name") == "nobody");
  BOOST_TEST(given.text("names") == "");
  BOOST_TEST(!given.on("loud"));
  BOOST_TEST(!given.given("name"));
  BOOST_TEST(!given.help_wanted());
}

BOOST_AUTO_TEST_CASE(four_spellings_of_a_value) {
  for (const words& arguments :
       {words{"-name", "x"}, {"--name", "x"}, {"-name=x"}, {"--name=x"}, {"-name", "y", "-name", "x"}}) {
    const auto given = tried.parse(arguments);
    BOOST_TEST(given.text("name") == "x");
    BOOST_TEST(given.given("name"));
    BOOST_TEST(!given.given("names"));
  }
}

BOOST_AUTO_TEST_CASE(a_value_may_be_empty_or_begin_with_a_dash_or_hold_an_equals_sign) {
  BOOST_TEST(tried.parse({"-name="}).text("name") == "");
  BOOST_TEST(tried.parse({"-name", ""}).text("name") == "");
  BOOST_TEST(tried.parse({"-name="}).given("name"));
  BOOST_TEST(tried.parse({"-name", "-loud"}).text("name") == "-loud");
  BOOST_TEST(tried.parse({"-name", "--"}).text("name") == "--");
  BOOST_TEST(tried.parse({"-name=a=b"}).text("name") == "a=b");
  BOOST_TEST(tried.parse({"-name==="}).text("name") == "==");
}

BOOST_AUTO_TEST_CASE(a_switch_takes_no_word) {
  for (const words& arguments : {words{"-loud"},
                                 {"--loud"},
                                 {"-loud=true"},
                                 {"-loud=1"},
                                 {"-loud=false", "-loud"},
                                 {"-loud", "-name", "x"}})
    BOOST_TEST(tried.parse(arguments).on("loud"));
  for (const words& arguments : {words{"-loud=false"}, {"-loud=0"}, {"-loud", "--loud=false"}})
    BOOST_TEST(!tried.parse(arguments).on("loud"));
  BOOST_TEST(refusal({"-loud=perhaps"}) == "-loud \"perhaps\": this is a switch; give -loud or -loud=false");
  BOOST_TEST(refusal({"-loud", "false"}).starts_with("unexpected argument \"false\""));
}

BOOST_AUTO_TEST_CASE(help_is_wanted_in_any_spelling) {
  for (const char* word : {"-h", "--h", "-help", "--help"})
    BOOST_TEST(tried.parse({"-name", "x", word}).help_wanted());
  BOOST_TEST(!tried.parse({"-name", "-h"}).help_wanted());
}

BOOST_AUTO_TEST_CASE(unknown_options_and_arguments) {
  BOOST_TEST(refusal({"-nam", "x"}) == "unknown option -nam; did you mean -name?");
  BOOST_TEST(refusal({"--lout=5"}) == "unknown option -lout; did you mean -loud?");
  BOOST_TEST(refusal({"-entirely-different"}) ==
             "unknown option -entirely-different; see `gotunnel try --help`");
  BOOST_TEST(refusal({"-name"}) == "-name needs a value, -name TEXT; see `gotunnel try --help`");
  for (const std::string word : {"", "x", "-", "--", "---name", "-=x", "--=x"})
    BOOST_TEST(refusal({word}) == "unexpected argument \"" + word +
                                      "\"; `gotunnel try` takes options only: see `gotunnel try --help`");
}

BOOST_AUTO_TEST_CASE(no_message_holds_a_piece_of_a_secret) {
  const std::string hush = "hush-hush";
  for (const words& arguments : {words{"-secret", "my", hush},
                                 {"-secret=my", hush},
                                 {"-secert", hush},
                                 {"-secert=" + hush},
                                 {"-secret", hush, "-nonsense"},
                                 {"-secret", "my", "-" + hush},
                                 {"-secret", hush, "-loud=perhaps"}}) {
    const std::string text = refusal(arguments);
    BOOST_TEST(text != "accepted");
    BOOST_TEST(text.find(hush) == std::string::npos, text);
  }
}

BOOST_AUTO_TEST_CASE(the_nearest_of_some_words) {
  const words known{"server", "client", "pki", "version"};
  BOOST_TEST(nearest("serve", known).value() == "server");
  BOOST_TEST(nearest("clinet", known).value() == "client");
  BOOST_TEST(nearest("pik", known).value() == "pki");
  BOOST_TEST(!nearest("frobnicate", known));
  BOOST_TEST(!nearest("server", {}));
}

BOOST_AUTO_TEST_CASE(the_table_of_options_is_aligned) {
  BOOST_TEST(tried.describe() == "  -name TEXT    who (default nobody)\n"
                                 "  -names LIST   who else\n"
                                 "  -secret TEXT  hush\n"
                                 "  -loud         a switch\n");
}

BOOST_AUTO_TEST_SUITE_END()
