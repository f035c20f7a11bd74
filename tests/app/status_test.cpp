#include "gotunnel/app/status.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/counters.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::app;

BOOST_AUTO_TEST_SUITE(status_test)

BOOST_AUTO_TEST_CASE(what_is_said_is_shown) {
  status_facts facts;
  facts.listen = "0.0.0.0:7000";
  facts.workers = 3;
  facts.uptime = 26h + 1s;
  facts.ports = {{8080, "192.0.2.7:1234", wall_time{}}};
  const std::string json = status_json(facts);
  BOOST_TEST(json.find('\n') == std::string::npos);
  for (const char* part : {R"("listen":"0.0.0.0:7000")", R"("workers":3)", R"("uptime_seconds":93601)",
                           R"("port":8080)", R"("client":"192.0.2.7:1234")", R"("limit":)"})
    BOOST_TEST(json.find(part) != std::string::npos, part);
  for (const counter each : counters::all())
    BOOST_TEST(json.find('"' + std::string(name_of(each)) + "\":") != std::string::npos);

  const std::string text = describe_status(json, false);
  for (const char* part : {"on 0.0.0.0:7000 for 1 d 02:00:01, 3 workers\n", "64.0 MiB for each session",
                           "proofs_failed", "8080   192.0.2.7:1234 since 1970-01-01 00:00:00 UTC\n"})
    BOOST_TEST(text.find(part) != std::string::npos, part << " in " << text);
  BOOST_TEST(text.find('\x1b') == std::string::npos);
  BOOST_TEST(describe_status(json, true).find('\x1b') != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_peer_said_is_shown_without_what_it_would_do) {
  // A client that clears the screen, begins a line of its own, and turns text around; and no UTF-8.
  const std::string hostile = "\x1b[2J\n8080   forged\xe2\x80\xae\xff";
  status_facts facts;
  facts.authority_until = facts.server_until = wall_time{std::chrono::days(365)};
  facts.ports = {{8080, hostile, wall_time{}}};
  const std::string json = status_json(facts);
  const std::string shown = R"(8080   \x1b[2J\x0a8080   forged\xe2\x80\xae\xff since 1970)";
  BOOST_TEST(describe_status(json, false).find(shown) != std::string::npos, describe_status(json, false));

  // A server that escapes nothing itself.
  facts.listen = "here";
  facts.ports = {{8080, "a client", wall_time{}}};
  const std::string whole = status_json(facts);
  for (const char* text : {"\"here\"", "\"a client\"", "\"1970-01-01 00:00:00 UTC\"",
                           "\"sessions\":", "\"" GOTUNNEL_VERSION "\""}) {
    std::string evil = whole;
    evil.replace(evil.find(text) + 1, 3, R"(\u001b[2J\n\u202e\u2028\u009b)");
    const std::string seen = describe_status(evil, false);
    for (const char* part : {"\x1b", "\n\xe2", "\xe2\x80\xae", "\xe2\x80\xa8", "\xc2\x9b"})
      BOOST_TEST(seen.find(part) == std::string::npos, text);
    BOOST_TEST(seen.find(R"(\x1b[2J\x0a\xe2\x80\xae\xe2\x80\xa8\xc2\x9b)") != std::string::npos, seen);
  }
}

BOOST_AUTO_TEST_CASE(when_certificates_end_is_shown) {
  status_facts facts;
  facts.authority_until = wall_time{std::chrono::days(365)};
  facts.server_until = wall_time{std::chrono::days(31)};
  facts.expiry = {"ca.crt: expires soon"};
  const std::string json = status_json(facts);
  BOOST_TEST(json.find(R"("ca_until":"1971-01-01 00:00:00 UTC")") != std::string::npos, json);
  const std::string text = describe_status(json, false);
  BOOST_TEST(
      text.find(
          "\ncertificates  the server's until 1970-02-01 00:00:00 UTC, the CA until 1971-01-01 00:00:00 "
          "UTC\n  ca.crt: expires soon\n") != std::string::npos,
      text);
  // A server of an older version says nothing of it.
  const std::size_t begin = json.find("\"certificates\""), end = json.find("\"counters\"");
  BOOST_TEST(describe_status(json.substr(0, begin) + json.substr(end), false).find("certificates") ==
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_answer_of_another_kind_is_one_sentence) {
  for (const char* text : {"", "no JSON", "[]", "{}", R"({"error":"unknown request"})"})
    BOOST_CHECK_THROW(static_cast<void>(describe_status(text, false)), usage_error);
}

BOOST_AUTO_TEST_SUITE_END()
