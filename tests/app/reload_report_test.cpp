#include "gotunnel/app/reload_report.hpp"

#include "gotunnel/app/usage_error.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel::app;

BOOST_AUTO_TEST_SUITE(reload_report_test)

BOOST_AUTO_TEST_CASE(it_crosses_to_another_process) {
  const reload_report report{true, "2027-01-01 10:00:00 UTC", 2, true, true};
  BOOST_TEST(to_json(report) ==
             "{\"certificate\":{\"changed\":true,\"valid_until\":\"2027-01-01 10:00:00 UTC\"},"
             "\"secrets\":{\"count\":2,\"changed\":true,\"from_file\":true}}");
  BOOST_TEST((read_reload_report(to_json(report)) == report));
  BOOST_TEST((read_reload_report(to_json({})) == reload_report{}));
  for (const char* other : {"", "{}", "[]", "{\"certificate\":{},\"secrets\":{}}"})
    BOOST_CHECK_THROW(static_cast<void>(read_reload_report(other)), usage_error);
}

BOOST_AUTO_TEST_CASE(it_is_one_sentence) {
  BOOST_TEST(describe({true, "soon", 2, false, true}) ==
             "read again: the server certificate (changed, valid until soon) and 2 secrets (as before)");
  BOOST_TEST(describe({false, "soon", 1, true, true}) ==
             "read again: the server certificate (as before, valid until soon) and 1 secret (changed)");
  BOOST_TEST(describe({false, "soon", 1, false, false}) ==
             "read again: the server certificate (as before, valid until soon) and no secret, which is not "
             "from a -secret-file");
}

BOOST_AUTO_TEST_SUITE_END()
