#include "gotunnel/base/error.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace gotunnel;

namespace {

constexpr int first = static_cast<int>(errc::closed);
constexpr int last = static_cast<int>(errc::shutting_down);

} // namespace

BOOST_AUTO_TEST_SUITE(base_error)

BOOST_AUTO_TEST_CASE(every_entry_has_a_sentence_of_its_own) {
  std::set<std::string> sentences;
  for (int value = first; value <= last; ++value) {
    const std::string sentence = error_code(value, gotunnel_category()).message();
    BOOST_TEST(sentence != "unknown error", "entry " << value);
    BOOST_TEST(sentences.insert(sentence).second, "said twice: " << sentence);
  }
  BOOST_TEST(error_code(last + 1, gotunnel_category()).message() == "unknown error");
  BOOST_TEST(error_code(0, gotunnel_category()).message() == "unknown error");
}

BOOST_AUTO_TEST_CASE(entries_become_error_codes_by_themselves) {
  const error_code ec = errc::wrong_secret;
  BOOST_TEST(ec.failed());
  BOOST_TEST((ec == errc::wrong_secret));
  BOOST_TEST((ec != errc::refused));
  BOOST_TEST(std::string(ec.category().name()) == "gotunnel");
  // The same number in another category is another error.
  BOOST_TEST((error_code(first, boost::system::system_category()) != errc::closed));
}

BOOST_AUTO_TEST_CASE(a_result_carries_the_value_or_the_error) {
  const result<int> good = 7;
  const result<int> bad = errc::timed_out;
  BOOST_TEST(good.value() == 7);
  BOOST_TEST((bad.error() == errc::timed_out));
  BOOST_TEST(result<>().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
