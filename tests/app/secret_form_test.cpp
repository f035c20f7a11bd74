#include "gotunnel/app/secret_form.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel::app;

namespace {

const std::string good = "0a93f1b7c25e84d6aa17f3905be2c8d4e6f1a2b3c4d5e6f7";

/// The doubts in one text; none of them may quote the secret.
std::string doubts(const std::string& secret) {
  std::string all;
  for (const std::string& each : doubts_about(secret)) all += each + "\n";
  if (secret.size() > 3) BOOST_TEST(all.find(secret) == std::string::npos);
  return all;
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

} // namespace

BOOST_AUTO_TEST_SUITE(secret_form)

BOOST_AUTO_TEST_CASE(line_ends_at_the_end_are_no_part_of_a_secret) {
  for (const char* text : {"abc", "abc\n", "abc\r\n", "abc\n\n", "abc\r"})
    BOOST_TEST(without_line_end(text) == "abc");
  BOOST_TEST(without_line_end("\nabc") == "\nabc");
  BOOST_TEST(without_line_end("a\nb\n") == "a\nb");
  BOOST_TEST(without_line_end(" abc ") == " abc ");
  BOOST_TEST(without_line_end("\r\n") == "");
  BOOST_TEST(without_line_end("") == "");
}

BOOST_AUTO_TEST_CASE(of_a_good_secret_there_is_nothing_to_say) {
  for (const std::string& each :
       {good, good.substr(0, 16), std::string("kF2v/9xQ1+LmZ0aB7Rw="),
        std::string("correct horse battery staple"), std::string("sesame-4711-opens-up"),
        std::string("f\xc3\xbcnf Lurche h\xc3\xbcpfen"), std::string("9071846253360718")})
    BOOST_TEST(doubts(each) == "", each);
  BOOST_TEST(doubts("") == ""); // refused elsewhere
}

BOOST_AUTO_TEST_CASE(what_may_keep_it_from_matching_is_said) {
  BOOST_TEST(holds(doubts("\xef\xbb\xbf" + good), "begins with a byte order mark (EF BB BF)"));
  for (const std::string& each : {" " + good, good + " ", good + "\t", "\n" + good})
    BOOST_TEST(holds(doubts(each), "begins or ends with a blank"), each);
  BOOST_TEST(!holds(doubts("one " + good), "blank"));
}

BOOST_AUTO_TEST_CASE(what_is_easy_to_guess_is_said_with_a_remedy) {
  for (const char* each : {"x", "s3cr3t", "kF2v/9xQ1+LmZ0a"})
    BOOST_TEST(holds(doubts(each), "has fewer than 16 characters"), each);
  for (const char* each : {"password12345678", "PassWord-PassWord", "gotunnel-secret-2026",
                           "changeme_changeme", "1234-admin-secret-5678"})
    BOOST_TEST(holds(doubts(each), "is made of common words"), each);
  for (const char* each : {"aaaaaaaaaaaaaaaa", "1234567890123456", "abcdefghijklmnop", "zyxwvutsrqponmlkji",
                           "q7Z-q7Z-q7Z-q7Z-q7Z", "----------------------"})
    BOOST_TEST(holds(doubts(each), "is a pattern"), each);
  BOOST_TEST(holds(doubts("x"), "openssl rand -hex 24"));
}

BOOST_AUTO_TEST_SUITE_END()
