#include "gotunnel/app/upgrade.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::app;

BOOST_AUTO_TEST_SUITE(upgrade_report_test)

BOOST_AUTO_TEST_CASE(success_is_said_in_one_sentence) {
  upgrade_outcome done;
  done.receipt.given = {3, 2, 120};
  done.receipt.successor = 4711;
  const std::string line = upgrade_json(done);
  BOOST_TEST(line == R"({"upgraded":true,"pid":4711,"clients":3,"ports":2,"visitors":120})");
  const auto said = describe_upgrade(line);
  BOOST_TEST(said.well);
  BOOST_TEST(said.sentence == "upgraded: process 4711 serves now, with 3 clients, 2 ports and 120 visitors");
}

BOOST_AUTO_TEST_CASE(so_is_failure) {
  upgrade_outcome failed;
  failed.trouble = "the new process was not ready in time";
  const std::string line = upgrade_json(failed);
  BOOST_TEST(line == R"({"error":"the new process was not ready in time"})");
  const auto said = describe_upgrade(line);
  BOOST_TEST(!said.well);
  BOOST_TEST(said.sentence == "the server was not upgraded: the new process was not ready in time");
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_is_no_success) {
  for (const char* text : {"", "nonsense", "[]", "{}", R"({"upgraded":false})", R"({"error":7})",
                           R"({"upgraded":true,"pid":"x"})"}) {
    const auto said = describe_upgrade(text);
    BOOST_TEST(!said.well, text);
    BOOST_TEST(said.sentence.find("another version") != std::string::npos, said.sentence);
  }
}

BOOST_AUTO_TEST_SUITE_END()
