#include "gotunnel/wire/seed_greeting.hpp"

#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

using namespace std::string_view_literals;

bool matches(std::string_view line, std::string_view secret) {
  return seed_secret_matches(as_bytes(line), secret_text{std::string{secret}});
}
bool can_carry(std::string_view secret) { return seed_can_carry(secret_text{std::string{secret}}); }

} // namespace

BOOST_AUTO_TEST_SUITE(wire_seed_greeting)

BOOST_AUTO_TEST_CASE(finds_a_line) {
  const auto find = [](std::string_view text, std::size_t limit) { return find_line(as_bytes(text), limit); };
  BOOST_TEST((*find("", 4) == std::nullopt));
  BOOST_TEST((*find("abc", 4) == std::nullopt));
  BOOST_TEST((*find("\n", 4) == 1u));
  BOOST_TEST((*find("abc\n", 4) == 4u));
  BOOST_TEST((*find("OK\n\x02\x00\n"sv, 256) == 3u)); // smux glued to the verdict
  BOOST_TEST((*find("a\0b\n"sv, 8) == 4u));
  BOOST_TEST(find("abcd", 4).error() == errc::limit_exceeded);
  BOOST_TEST(find("abcd\n", 4).error() == errc::limit_exceeded);
  BOOST_TEST(find("", 0).error() == errc::limit_exceeded);
  BOOST_TEST(find(std::string(1 << 20, 'x'), seed_secret_limit).error() == errc::limit_exceeded);
}

BOOST_AUTO_TEST_CASE(compares_secrets_as_the_original_does) {
  for (const auto line : {"secret\n"sv, "secret"sv, "secret\r\n"sv, " \t\v\f secret \r\n"sv,
                          "\u00a0secret\u3000\n"sv, "\u0085\u2003secret\u2029\u205f\n"sv})
    BOOST_TEST(matches(line, "secret"), line);
  for (const auto line : {""sv, "\n"sv, "secre\n"sv, "secrets\n"sv, "Secret\n"sv, "sec ret\n"sv,
                          "secret\0\n"sv, "\0secret\n"sv, "secret\u200b\n"sv, "secret\xa0\n"sv})
    BOOST_TEST(!matches(line, "secret"), line);
  BOOST_TEST(matches("p\xc3\xa4ss w\xf6rd\n", "p\xc3\xa4ss w\xf6rd"));
  BOOST_TEST(!matches(" padded \n", " padded "));
  BOOST_TEST(!matches("\n", ""));
  BOOST_TEST(!matches("", ""));
}

BOOST_AUTO_TEST_CASE(knows_which_secrets_the_original_can_carry) {
  for (const auto secret : {"s"sv, "two words"sv, "a\rb"sv, "\u200bzero width"sv, "\xff"sv})
    BOOST_TEST(can_carry(secret), secret);
  for (const auto secret : {""sv, " "sv, " s"sv, "s "sv, "s\n"sv, "\ns"sv, "a\nb"sv, "s\r"sv, "s\u00a0"sv,
                            "\u3000s"sv, "\u0085"sv})
    BOOST_TEST(!can_carry(secret), secret);
}

BOOST_AUTO_TEST_CASE(reads_the_verdict) {
  for (const auto line : {seed_accepted, "OK"sv, "OK\r\n"sv, " OK \n"sv})
    BOOST_TEST(read_seed_verdict(as_bytes(line)).has_value(), line);
  for (const auto line : {seed_refused, "ERROR: Invalid Secret"sv, "ERROR: Invalid Secret\r\n"sv})
    BOOST_TEST(read_seed_verdict(as_bytes(line)).error() == errc::wrong_secret, line);
  for (const auto line : {""sv, "\n"sv, "ok\n"sv, "OKAY\n"sv, "O K\n"sv, "ERROR\n"sv,
                          "ERROR: invalid secret\n"sv, "HTTP/1.1 400 Bad Request\r\n"sv, "OK\0\n"sv})
    BOOST_TEST(read_seed_verdict(as_bytes(line)).error() == errc::not_gotunnel, line);
}

BOOST_AUTO_TEST_CASE(requests) {
  BOOST_TEST(encode_seed_request(8080) == "{\"remote_port\":8080}\n");
  const std::pair<std::string_view, std::uint16_t> table[] = {
      {R"({"remote_port":8080})"
       "\n",
       8080},
      {R"({"remote_port":0})", 0},
      {R"({"remote_port":65535})", 65535},
      {R"( {"x":[{}],"Remote_Port" : 1 , "y":null} )"
       "\r\n",
       1},
      {R"({"REMOTE_PORT":1,"remote_port":2})", 2},
      {R"({"remote_port":2,"REMOTE_PORT":1})", 1},
      {R"({"remote_port":1,"remote_port":2})", 2},
  };
  for (const auto& [line, port] : table) {
    BOOST_TEST_CONTEXT(line) {
      const auto read = read_seed_request(as_bytes(line));
      BOOST_TEST_REQUIRE(read.has_value());
      BOOST_TEST(*read == port);
    }
  }
}

BOOST_AUTO_TEST_CASE(no_requests) {
  for (const auto line : {""sv,
                          "\n"sv,
                          "null"sv,
                          "[]"sv,
                          "8080"sv,
                          "{}"sv,
                          "{\"remote_port\":}"sv,
                          "{\"remote_port\":65536}"sv,
                          "{\"remote_port\":-1}"sv,
                          "{\"remote_port\":80.0}"sv,
                          "{\"remote_port\":8e1}"sv,
                          "{\"remote_port\":\"80\"}"sv,
                          "{\"remote_port\":null}"sv,
                          "{\"remote_port\":[80]}"sv,
                          "{\"remote_port\":99999999999999999999}"sv,
                          "{\"remote_port\":80}{}"sv,
                          "{\"remote_port\":80"sv,
                          "{\"remote_port\":80}\0"sv,
                          "{\"remote_port\":80,\"\xff\":1}"sv,
                          "{\"remote-port\":80}"sv,
                          "{\"remote_port\":1,\"remote_port\":\"x\"}"sv})
    BOOST_TEST(read_seed_request(as_bytes(line)).error() == errc::broken_frame, line);
  BOOST_TEST(read_seed_request(as_bytes("{\"remote_port\":80,\"a\":" + std::string(16000, '['))).error() ==
             errc::broken_frame);
  BOOST_TEST(read_seed_request(as_bytes(std::string(1 << 20, '9'))).error() == errc::broken_frame);
}

BOOST_AUTO_TEST_CASE(answers) {
  BOOST_TEST(encode(seed_answer{true, "Port 80 opened"}) ==
             "{\"status\":\"success\",\"message\":\"Port 80 opened\"}\n");
  BOOST_TEST(encode(seed_answer{false, "no\n"}) == "{\"status\":\"error\",\"message\":\"no\\n\"}\n");
  for (const seed_answer& answer :
       {seed_answer{true, ""}, seed_answer{false, "a \"quoted\" \u20ac\x01 text"}}) {
    const auto read = read_seed_answer(as_bytes(encode(answer)));
    BOOST_TEST_REQUIRE(read.has_value());
    BOOST_TEST((*read == answer));
  }
  const std::pair<std::string_view, seed_answer> table[] = {
      {R"({"status":"success"})", {true, ""}},
      {R"({"Status":"success","MESSAGE":"m","more":1})", {true, "m"}},
      {R"({"status":"SUCCESS"})", {false, ""}},
      {R"({"status":"","message":"m"})", {false, "m"}},
  };
  for (const auto& [line, answer] : table) BOOST_TEST((*read_seed_answer(as_bytes(line)) == answer), line);
  for (const auto line : {"{}"sv, "{\"status\":true}"sv, "{\"status\":\"error\",\"message\":1}"sv, "OK"sv,
                          ""sv, "{\"message\":\"m\"}"sv})
    BOOST_TEST(read_seed_answer(as_bytes(line)).error() == errc::broken_frame, line);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
