// Peers that know the secret and then misbehave: they lose their own session; nobody else notices.
#include "e2e/bulk.hpp"
#include "e2e/native_peer.hpp"
#include "e2e/process_facts.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace std::chrono_literals;
using wire::smux_command;

namespace {

struct good_tunnel {
  scratch_directory room;
  server_process server{room};
  local_service echo{local_service::echo};
  client_process client{room, server, echo.port()};

  void still_works() {
    BOOST_TEST(visit(client.public_port(), "still here?") == "still here?");
    BOOST_TEST(server.child().running());
  }
  /// Lines of the server's log that hold both.
  [[nodiscard]] std::vector<std::string> lines(const std::string& one, const std::string& two) const {
    std::istringstream log(server.log());
    std::vector<std::string> found;
    for (std::string line; std::getline(log, line);)
      if (line.find(one) != std::string::npos && line.find(two) != std::string::npos) found.push_back(line);
    return found;
  }
  /// The session of `evil` ends, with one line that says so.
  void loses_its_session(native_peer& evil, const std::string& why) {
    BOOST_TEST(evil.ended_within(patience));
    BOOST_TEST(server.child().wait_for(output::err, evil.address() + " disconnected", patience).has_value());
    const auto said = lines(evil.address(), "disconnected");
    BOOST_TEST(said.size() == 1u);
    if (!said.empty()) BOOST_TEST_MESSAGE(said.front());
    if (!said.empty()) BOOST_TEST(said.front().find(why) != std::string::npos);
    // It connected, got its port and disconnected, and complaints have a limit (log::limit).
    BOOST_TEST(lines(evil.address(), "").size() <= 3u + 5u);
    still_works();
  }
};

std::string repeat(std::string_view text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// A peer with a control stream that works.
struct bound_peer : native_peer {
  explicit bound_peer(const server_process& server) : native_peer(server) {
    BOOST_REQUIRE(open());
    const auto answer = bind(1, 0);
    BOOST_REQUIRE(answer.has_value());
    port = bound_port(*answer);
    BOOST_REQUIRE(port != 0);
  }
  std::uint16_t port = 0;
};

bool has_code(const std::optional<std::string>& line, std::string_view code) {
  const bool good =
      line && line->find("\"error\"") != std::string::npos && line->find(code) != std::string::npos;
  if (!good) BOOST_TEST_MESSAGE("answer: " << line.value_or("none"));
  return good;
}

} // namespace

BOOST_AUTO_TEST_SUITE(after_proof_frames)

BOOST_FIXTURE_TEST_CASE(unknown_commands_and_versions_end_the_session, good_tunnel) {
  for (const std::string& bytes : {raw_header(2, 9, 0, 3), raw_header(7, 0, 0, 3),
                                   raw_header(2, 0, 5, 3) + "hello", raw_header(2, 4, 7, 3) + "1234567"}) {
    native_peer evil(server);
    evil.open();
    evil.send(bytes);
    loses_its_session(evil, "");
  }
}

BOOST_FIXTURE_TEST_CASE(changing_keys_all_the_time_ends_the_session, good_tunnel) {
  bound_peer evil(server);
  int changes = 0;
  for (; changes < 20'000; ++changes) {
    evil.tls().change_key();
    if (!evil.send(frame(smux_command::nop, 0))) break;
  }
  BOOST_TEST(changes < 20'000);
  loses_its_session(evil, "TLS failure");
}

BOOST_FIXTURE_TEST_CASE(a_client_has_at_most_sixty_four_sessions, good_tunnel) {
  const native_identity one;
  std::vector<std::unique_ptr<native_peer>> sessions;
  for (int i = 0; i < 64; ++i) sessions.push_back(std::make_unique<native_peer>(server, one));
  BOOST_CHECK_THROW(native_peer(server, one), std::runtime_error);
  BOOST_TEST(server.child().wait_for(output::err, "the client has too many sessions", patience).has_value());
  native_peer other(server);
  BOOST_TEST(other.open());
  const std::string address = sessions.back()->address();
  sessions.pop_back();
  BOOST_TEST(server.child().wait_for(output::err, address + " disconnected", patience).has_value());
  native_peer again(server, one);
  BOOST_TEST(again.open());
  still_works();
}

BOOST_FIXTURE_TEST_CASE(a_promised_length_that_never_comes_holds_no_memory, good_tunnel) {
  bound_peer evil(server);
  // The length field cannot say more than 65535; what is promised is not set aside.
  const std::size_t before = resident_kib(server.child().pid());
  for (std::uint32_t id = 100; id < 400; ++id)
    evil.send(raw_header(2, 2, 65535, 2 * id + 1).append(std::string(65535, 'x')));
  evil.send(raw_header(2, 2, 65535, 5));
  BOOST_TEST(evil.send("x"));
  still_works();
  if (!sanitized) BOOST_TEST(resident_kib(server.child().pid()) < before + 16UL * 1024);
}

BOOST_FIXTURE_TEST_CASE(data_for_unknown_streams_is_dropped, good_tunnel) {
  bound_peer evil(server);
  const std::string junk = frame(smux_command::psh, 4711, std::string(32768, 'j'));
  for (int i = 0; i < 200; ++i) BOOST_REQUIRE(evil.send(junk));
  for (std::uint32_t id = 1000; id < 2000; ++id)
    BOOST_REQUIRE(
        evil.send(frame(smux_command::fin, id) + frame(smux_command::upd, id, std::string(8, '\1'))));
  // The session goes on, as smux says it should.
  BOOST_TEST(evil.say(R"({"type":"ping","id":5})"));
  const auto answer = evil.hear_line(patience);
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->find("pong") != std::string::npos);
  still_works();
}

BOOST_FIXTURE_TEST_CASE(a_hundred_thousand_opens_end_the_session, good_tunnel) {
  bound_peer evil(server);
  const std::size_t before = peak_kib(server.child().pid());
  std::string opens;
  for (std::uint32_t id = 5; id < 5 + 2 * 100'000; id += 2) opens += frame(smux_command::syn, id);
  evil.send(opens);
  loses_its_session(evil, "");
  const std::size_t after = peak_kib(server.child().pid());
  BOOST_TEST_MESSAGE("100,000 opens: peak of the server " << before << " -> " << after << " KiB");
  if (!sanitized) BOOST_TEST(after < before + 16UL * 1024);
  // The port went with the session.
  BOOST_CHECK_THROW(static_cast<void>(loopback_socket::connect(evil.port)), std::system_error);
}

BOOST_FIXTURE_TEST_CASE(sending_beyond_the_window_ends_the_session, good_tunnel) {
  bound_peer evil(server);
  // A visitor that does not read, so the window never moves.
  const auto visitor = loopback_socket::connect(evil.port);
  auto opened = evil.next_frame(patience);
  while (opened && opened->header.command != smux_command::syn) opened = evil.next_frame(patience);
  BOOST_REQUIRE(opened.has_value());
  const std::size_t before = peak_kib(server.child().pid());
  const std::string flood = frame(smux_command::psh, opened->header.id, std::string(60'000, 'f'));
  for (int i = 0; i < 20'000 && evil.send(flood); ++i) continue;
  loses_its_session(evil, "");
  const std::size_t after = peak_kib(server.child().pid());
  BOOST_TEST_MESSAGE("a flood past the window: peak of the server " << before << " -> " << after << " KiB");
  if (!sanitized) BOOST_TEST(after < before + 64UL * 1024);
}

BOOST_FIXTURE_TEST_CASE(a_claim_to_have_read_what_was_never_sent_ends_the_session, good_tunnel) {
  bound_peer evil(server);
  evil.send(
      frame(smux_command::upd, native_peer::control, std::string("\xff\xff\xff\x0f\x00\x00\x01\x00", 8)));
  loses_its_session(evil, "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(after_proof_control)

BOOST_FIXTURE_TEST_CASE(what_is_no_json_is_answered_a_few_times_and_then_ends_the_session, good_tunnel) {
  native_peer evil(server);
  evil.open();
  evil.say("hello server");
  BOOST_TEST(has_code(evil.hear_line(patience), "bad_message"));
  evil.say("");
  BOOST_TEST(has_code(evil.hear_line(patience), "bad_message"));
  evil.say("[1,2,3]");
  BOOST_TEST(has_code(evil.hear_line(patience), "bad_message"));
  // Deep nesting is broken like any other.
  evil.say(R"({"type":"bind","x":)" + repeat("[", 4000) + repeat("]", 4000) + "}");
  BOOST_TEST(has_code(evil.hear_line(patience), "bad_message"));
  evil.say(R"({"type":"bind","x":)" + repeat(R"({"a":)", 2000));
  BOOST_TEST(has_code(evil.hear_line(patience), "bad_message"));
  evil.say(std::string("\xff\xfe{\0}", 5));
  BOOST_TEST(has_code(evil.hear_line(patience), "bad_message"));
  // Nothing was harmed so far.
  BOOST_TEST(bound_port(evil.bind(1, 0).value_or("")) != 0);
  for (int i = 0; i < 10; ++i) evil.say("{");
  loses_its_session(evil, "");
}

BOOST_FIXTURE_TEST_CASE(a_line_of_a_mebibyte_ends_the_session, good_tunnel) {
  bound_peer evil(server);
  const std::string piece = frame(smux_command::psh, native_peer::control, std::string(16 * 1024, 'a'));
  for (int i = 0; i < 64 && evil.send(piece); ++i) continue;
  loses_its_session(evil, "");
}

BOOST_FIXTURE_TEST_CASE(unknown_types_and_wrong_members_get_an_error_and_the_session_goes_on, good_tunnel) {
  native_peer peer(server);
  peer.open();
  const auto ask = [&](std::string_view line) {
    peer.say(line);
    return peer.hear_line(patience);
  };
  BOOST_TEST(has_code(ask(R"({"type":"dance","id":3})"), "unknown_type"));
  BOOST_TEST(has_code(ask(R"({"id":3})"), "bad_message"));
  BOOST_TEST(has_code(ask(R"({"type":"bind","id":1})"), "bad_message"));
  BOOST_TEST(has_code(ask(R"({"type":"bind","id":1,"port":70000})"), "bad_message"));
  BOOST_TEST(has_code(ask(R"({"type":"bind","id":1,"port":-1})"), "bad_message"));
  BOOST_TEST(has_code(ask(R"({"type":"bind","id":1,"port":22})"), "port_not_allowed"));
  BOOST_TEST(has_code(ask(R"({"type":"bind","id":1,"port":)" + std::to_string(client.public_port()) + "}"),
                      "port_held"));
  BOOST_TEST(has_code(ask(R"({"type":"bind","id":1,"port":)" + std::to_string(server.port()) + "}"),
                      "port_unavailable"));
  BOOST_TEST(bound_port(ask(R"({"type":"bind","id":1,"port":0,"colour":"red"})").value_or("")) != 0);
  still_works();
}

BOOST_FIXTURE_TEST_CASE(duplicate_binds_are_refused_and_the_first_stays, good_tunnel) {
  bound_peer peer(server);
  BOOST_TEST(has_code(peer.bind(1, 0), "duplicate_bind"));
  BOOST_TEST(has_code(peer.bind(2, peer.port), "duplicate_bind"));
  const auto visitor = loopback_socket::connect(peer.port);
  still_works();
}

BOOST_FIXTURE_TEST_CASE(a_client_holds_at_most_sixty_four_ports, good_tunnel) {
  native_peer greedy(server);
  greedy.open();
  std::vector<std::uint16_t> ports;
  for (std::uint64_t id = 1; id <= 64; ++id) ports.push_back(bound_port(greedy.bind(id, 0).value_or("")));
  BOOST_TEST(std::count(ports.begin(), ports.end(), 0) == 0);
  BOOST_TEST(has_code(greedy.bind(65, 0), "too_many_binds"));
  // Room again after an unbind.
  greedy.say(R"({"type":"unbind","id":7})");
  BOOST_TEST(bound_port(greedy.bind(65, 0).value_or("")) != 0);
  BOOST_CHECK_THROW(static_cast<void>(loopback_socket::connect(ports.at(6))), std::system_error);
  still_works();
  // All of them go with the session.
  greedy.tls().drop(true);
  BOOST_TEST(server.child()
                 .wait_for(output::err, greedy.address() == "" ? "disconnected" : " disconnected", patience)
                 .has_value());
  BOOST_CHECK_THROW(static_cast<void>(loopback_socket::connect(ports.back())), std::system_error);
}

BOOST_FIXTURE_TEST_CASE(refused_requests_without_end_do_not_flood_the_log, good_tunnel) {
  native_peer evil(server);
  evil.open();
  std::string requests;
  for (int i = 0; i < 1000; ++i)
    requests += R"({"type":"bind","id":1,"port":22})"
                "\n";
  for (std::size_t at = 0; at < requests.size(); at += 30'000)
    BOOST_REQUIRE(evil.send(
        frame(smux_command::psh, native_peer::control, std::string_view(requests).substr(at, 30'000))));
  for (int i = 0; i < 1000; ++i) BOOST_REQUIRE(evil.hear_line(patience).has_value());
  BOOST_TEST(lines(evil.address(), "is not allowed").size() < 20u);
  still_works();
}

BOOST_AUTO_TEST_SUITE_END()
