#include "gotunnel/wire/control.hpp"

#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <vector>

namespace gotunnel::wire {
namespace {

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

/// What one line means on its own.
result<std::optional<control_message>> read_line(std::string_view line) {
  control_reader reader;
  BOOST_REQUIRE(reader.feed(as_bytes(std::string{line} + '\n')).has_value());
  return reader.next();
}

void expect(std::string_view line, const control_message& wanted) {
  BOOST_TEST_CONTEXT(line) {
    const auto message = read_line(line);
    BOOST_TEST_REQUIRE(message.has_value());
    BOOST_TEST_REQUIRE(message->has_value());
    BOOST_TEST((**message == wanted));
  }
}

void expect_problem(std::string_view line, std::string_view type, std::string_view part,
                    std::optional<std::uint64_t> id = std::nullopt) {
  BOOST_TEST_CONTEXT(line) {
    const auto message = read_line(line);
    BOOST_TEST_REQUIRE(message.has_value());
    BOOST_TEST_REQUIRE(message->has_value());
    const auto* const unknown = std::get_if<unknown_message>(&**message);
    BOOST_TEST_REQUIRE(unknown != nullptr);
    BOOST_TEST(unknown->type == type);
    BOOST_TEST((unknown->id == id));
    BOOST_TEST(unknown->problem.empty() == part.empty());
    BOOST_TEST(unknown->problem.find(part) != std::string::npos, "the problem was: " << unknown->problem);
  }
}

void expect_broken(std::string_view line) {
  BOOST_TEST_CONTEXT(line.substr(0, 80)) { BOOST_TEST(read_line(line).error() == errc::broken_frame); }
}

struct row {
  control_message message;
  std::string_view line;
};

const std::vector<row> script{
    {bind_request{1, 8080}, R"({"type":"bind","id":1,"port":8080})"},
    {bind_request{0, 0}, R"({"type":"bind","id":0,"port":0})"},
    {bind_request{1, 8080, 16}, R"({"type":"bind","id":1,"port":8080,"carrier":16})"},
    {bind_request{1, 8080, 0, 60'000}, R"({"type":"bind","id":1,"port":8080,"keepalive":60000})"},
    {bound_answer{1, 80, "a:80", 2, 4'000},
     R"({"type":"bound","id":1,"port":80,"address":"a:80","carrier":2,"keepalive":4000})"},
    {bind_request{1, 8080, 0, 0, true}, R"({"type":"bind","id":1,"port":8080,"wait":true})"},
    {error_answer{1, "port_held", "away", 41000},
     R"({"type":"error","id":1,"code":"port_held","message":"away","free_in_ms":41000})"},
    {waiting_notice{1, 41000}, R"({"type":"waiting","id":1,"for_ms":41000})"},
    {unbind_request{largest}, R"({"type":"unbind","id":18446744073709551615})"},
    {bound_answer{1, 65535, "[::]:65535"}, R"({"type":"bound","id":1,"port":65535,"address":"[::]:65535"})"},
    {bound_answer{1, 80, "a:80", 2}, R"({"type":"bound","id":1,"port":80,"address":"a:80","carrier":2})"},
    {error_answer{1, "port_held", "held by \"a\"\n"},
     R"({"type":"error","id":1,"code":"port_held","message":"held by \"a\"\n"})"},
    {error_answer{std::nullopt, "bad_message", ""}, R"({"type":"error","code":"bad_message","message":""})"},
    {ping_message{7}, R"({"type":"ping","id":7})"},
    {pong_message{7}, R"({"type":"pong","id":7})"},
    {renew_message{}, R"({"type":"renew"})"},
    {bye_message{"stopping"}, R"({"type":"bye","reason":"stopping"})"},
};

} // namespace

BOOST_AUTO_TEST_SUITE(wire_control)

BOOST_AUTO_TEST_CASE(writes_and_reads_every_message) {
  for (const auto& [message, line] : script) {
    BOOST_TEST(encode(message) == std::string{line} + '\n');
    expect(line, message);
  }
}

BOOST_AUTO_TEST_CASE(reads_a_script_in_pieces_of_any_size) {
  std::string all;
  for (const auto& r : script) all += encode(r.message);
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    control_reader reader;
    std::size_t count = 0;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      BOOST_REQUIRE(reader.feed(as_bytes(std::string_view{all}.substr(at, piece))).has_value());
      for (;;) {
        const auto message = reader.next();
        BOOST_REQUIRE(message.has_value());
        if (!message->has_value()) break;
        BOOST_REQUIRE(count < script.size());
        BOOST_REQUIRE((**message == script[count++].message));
      }
    }
    BOOST_REQUIRE(count == script.size());
  }
}

BOOST_AUTO_TEST_CASE(ignores_what_it_does_not_know) {
  expect(R"( { "later" : [{}, null, 1.5e3], "port":1, "id":2, "type":"bind" } )"
         "\r",
         bind_request{2, 1});
  expect(R"({"type":"ping","id":1,"Id":"x"})", ping_message{1});
  expect(R"({"type":"ping","id":1,"id":2})", ping_message{2}); // the later counts
  expect(R"({"type":"bye","reason":"a\u0000b"})", bye_message{std::string("a\0b", 3)});
}

BOOST_AUTO_TEST_CASE(the_larger_keepalive_counts_within_limits) {
  BOOST_TEST((agreed_keepalive(4s, 60'000) == 60s));
  BOOST_TEST((agreed_keepalive(5min, 60'000) == 5min));
  BOOST_TEST((agreed_keepalive(1s, 1) == 4s));
  BOOST_TEST((agreed_keepalive(4s, std::numeric_limits<std::uint32_t>::max()) == 10min));
  BOOST_TEST(keepalive_ms(90s) == 90'000U);
}

BOOST_AUTO_TEST_CASE(names_what_is_wrong) {
  expect_problem(R"({"type":"dance"})", "dance", "");
  expect_problem(R"({"type":"dance","id":5})", "dance", "", 5);
  expect_problem(R"({"type":"Ping","id":5})", "Ping", "", 5);
  expect_problem(R"({})", "", "\"type\"");
  expect_problem(R"({"id":5})", "", "\"type\"", 5);
  expect_problem(R"({"type":3})", "", "\"type\"");
  expect_problem(R"({"type":["bind"]})", "", "\"type\"");
  expect_problem(R"({"type":"bind","port":1})", "bind", "\"id\"");
  expect_problem(R"({"type":"bind","id":1})", "bind", "\"port\"", 1);
  expect_problem(R"({"type":"bound","id":1,"port":1})", "bound", "\"address\"", 1);
  expect_problem(R"({"type":"error","code":"x"})", "error", "\"message\"");
  expect_problem(R"({"type":"error","message":"x"})", "error", "\"code\"");
  expect_problem(R"({"type":"error","id":null,"code":"x","message":"x"})", "error", "\"id\"");
  expect_problem(R"({"type":"bye"})", "bye", "\"reason\"");
  for (const std::string_view id : {"-1", "1.0", "1e2", "\"1\"", "null", "true", "[1]", "{}",
                                    "18446744073709551616", "-9223372036854775809", "1e300"})
    expect_problem(R"({"type":"unbind","id":)" + std::string{id} + "}", "unbind", "\"id\"");
  for (const std::string_view port : {"65536", "-1", "80.0", "8e1", "\"80\"", "null", "18446744073709551615"})
    expect_problem(R"({"type":"bind","id":9,"port":)" + std::string{port} + "}", "bind", "\"port\"", 9);
  for (const std::string_view keepalive : {"0", "-1", "1.5", "\"1\"", "null", "4294967296"}) {
    const std::string number = R"("keepalive":)" + std::string{keepalive} + "}";
    expect_problem(R"({"type":"bind","id":9,"port":1,)" + number, "bind", "\"keepalive\"", 9);
    expect_problem(R"({"type":"bound","id":9,"port":1,"address":"",)" + number, "bound", "\"keepalive\"", 9);
  }
  for (const std::string_view carrier : {"0", "17", "-1", "1.0", "\"1\"", "null", "18446744073709551615"}) {
    const std::string number = R"("carrier":)" + std::string{carrier} + "}";
    expect_problem(R"({"type":"bind","id":9,"port":1,)" + number, "bind", "\"carrier\"", 9);
    expect_problem(R"({"type":"bound","id":9,"port":1,"address":"",)" + number, "bound", "\"carrier\"", 9);
  }
}

BOOST_AUTO_TEST_CASE(refuses_what_is_no_object) {
  using namespace std::string_view_literals;
  for (const std::string_view line : {""sv,
                                      " "sv,
                                      "\r"sv,
                                      "null"sv,
                                      "1"sv,
                                      "\"bind\""sv,
                                      "[]"sv,
                                      "{"sv,
                                      "}"sv,
                                      "{}{}"sv,
                                      "{} x"sv,
                                      "{,}"sv,
                                      "{\"a\":1,}"sv,
                                      "{'a':1}"sv,
                                      "{a:1}"sv,
                                      "// c"sv,
                                      "{\"a\":01}"sv,
                                      "{\"a\":1e999999999999}"sv,
                                      "{\"a\":NaN}"sv,
                                      "\0"sv,
                                      "{}\0"sv,
                                      "{\"a\0\":1}"sv,
                                      "{\"a\":\"\x01\"}"sv,
                                      "{\"a\":\"\xff\"}"sv,
                                      "{\"a\":\"\xc0\xaf\"}"sv,
                                      "{\"a\":\"\xed\xa0\x80\"}"sv,
                                      "{\"a\":\"\\ud800\"}"sv,
                                      "\xef\xbb\xbf{}"sv})
    expect_broken(line);
  expect_broken("{\"a\":" + std::string(10000, '9') + "e" + std::string(6000, '9') + "}");
}

BOOST_AUTO_TEST_CASE(nests_eight_deep_and_no_deeper) {
  const auto nested = [](std::size_t depth) {
    return R"({"type":"ping","id":1,"x":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  expect(nested(8), ping_message{1});
  expect_broken(nested(9));
  expect_broken(std::string(control_line_limit - 1, '['));
  std::string objects;
  while (objects.size() < control_line_limit - 8) objects += "{\"a\":";
  expect_broken(objects);
}

BOOST_AUTO_TEST_CASE(goes_on_after_a_broken_line) {
  control_reader reader;
  BOOST_TEST(reader.feed(as_bytes("\nnonsense\n{\"type\":\"ping\",\"id\":3}\n")).has_value());
  BOOST_TEST(reader.next().error() == errc::broken_frame);
  BOOST_TEST(reader.next().error() == errc::broken_frame);
  const auto message = reader.next();
  BOOST_TEST_REQUIRE(message.has_value());
  BOOST_TEST((message->value() == control_message{ping_message{3}}));
  BOOST_TEST(!reader.next()->has_value());
}

BOOST_AUTO_TEST_CASE(a_line_has_a_limit) {
  const std::string ping = encode(ping_message{1});
  const std::string longest = std::string(control_line_limit - ping.size(), ' ') + ping;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, longest.size()}) {
    control_reader reader;
    for (std::size_t at = 0; at < longest.size(); at += piece)
      BOOST_REQUIRE(reader.feed(as_bytes(std::string_view{longest}.substr(at, piece))).has_value());
    BOOST_TEST((reader.next()->value() == control_message{ping_message{1}}));

    const std::string too_long = ' ' + longest;
    result<> fed;
    for (std::size_t at = 0; at < too_long.size() && fed; at += piece)
      fed = reader.feed(as_bytes(std::string_view{too_long}.substr(at, piece)));
    BOOST_TEST(fed.error() == errc::limit_exceeded);
  }
}

BOOST_AUTO_TEST_CASE(a_mebibyte_in_one_line_ends_the_stream) {
  control_reader reader;
  const std::string ping = encode(ping_message{1});
  BOOST_TEST(reader.feed(as_bytes(ping + std::string(1 << 20, 'x'))).error() == errc::limit_exceeded);
  BOOST_TEST((reader.next()->value() == control_message{ping_message{1}}));
  BOOST_TEST(!reader.next()->has_value());
  // What follows is not to be glued to what was kept.
  BOOST_TEST(reader.feed(as_bytes("\n" + ping)).error() == errc::limit_exceeded);
  BOOST_TEST(!reader.next()->has_value());
}

BOOST_AUTO_TEST_CASE(many_lines_at_once_are_no_long_line) {
  control_reader reader;
  std::string many;
  for (int i = 0; i < 10000; ++i) many += encode(ping_message{1});
  BOOST_TEST(reader.feed(as_bytes(many)).has_value());
  int count = 0;
  while (reader.next()->has_value()) ++count;
  BOOST_TEST(count == 10000);
}

BOOST_AUTO_TEST_CASE(what_it_writes_always_fits_a_line) {
  const std::string escapes(100000, '\x01');
  const std::string line = encode(error_answer{largest, escapes, escapes});
  BOOST_TEST(line.size() <= control_line_limit);
  const auto message = read_line(std::string_view{line}.substr(0, line.size() - 1));
  BOOST_TEST_REQUIRE(message.has_value());
  BOOST_TEST((message->value() == control_message{error_answer{largest, escapes.substr(0, control_text_limit),
                                                               escapes.substr(0, control_text_limit)}}));

  // A character of three bytes does not lose one of them.
  std::string euros;
  while (euros.size() <= control_text_limit) euros += "\u20ac";
  const std::string cut = encode(bye_message{euros});
  const std::string kept = euros.substr(0, control_text_limit / 3 * 3);
  expect(std::string_view{cut}.substr(0, cut.size() - 1), bye_message{kept});
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
