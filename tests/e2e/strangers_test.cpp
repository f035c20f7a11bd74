// What comes to the tunnel door without the secret: it is dropped, told nothing, and disturbs nobody.
#include "e2e/bulk.hpp"
#include "e2e/native_peer.hpp"
#include "e2e/process_facts.hpp"

#include "gotunnel/crypto/digest.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

/// A server with one good client, whose tunnel must work whatever strangers do.
struct good_tunnel {
  scratch_directory room;
  server_process server{room};
  local_service echo{local_service::echo};
  client_process client{room, server, echo.port()};

  void still_works() {
    BOOST_TEST(visit(client.public_port(), "still here?") == "still here?");
    BOOST_TEST(server.child().running());
  }
};

std::string random_text(std::size_t size) {
  std::string text(size, '\0');
  crypto::random_bytes(std::as_writable_bytes(std::span(text)));
  return text;
}

/// Says `bytes` and returns what comes back until the end.
std::string answer_to(std::uint16_t port, const std::string& bytes) {
  const auto stranger = loopback_socket::connect(port);
  stranger.limit(patience);
  std::string answer;
  try {
    stranger.write(bytes);
    for (;;) {
      const std::string next = stranger.read(1);
      if (next.empty()) return answer;
      answer += next;
    }
  } catch (const std::system_error& e) {
    // A reset is as good as an end, a timeout is not.
    BOOST_TEST(e.code().value() != EAGAIN);
    return answer;
  }
}

/// No more than a TLS alert, which every TLS server gives.
constexpr std::size_t alert_size = 7;

std::string received_until_end(tls_peer& peer) {
  std::string all;
  for (std::string piece = peer.receive(patience); !piece.empty(); piece = peer.receive(patience))
    all += piece;
  BOOST_TEST(peer.ended());
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(strangers)

BOOST_FIXTURE_TEST_CASE(plain_http_and_random_bytes_get_at_most_an_alert, good_tunnel) {
  BOOST_TEST(answer_to(server.port(), "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").size() <= alert_size);
  for (int i = 0; i < 20; ++i) BOOST_TEST(answer_to(server.port(), random_text(500)).size() <= alert_size);
  // A record header that promises a handshake message, and garbage behind it.
  BOOST_TEST(answer_to(server.port(), std::string("\x16\x03\x01\x40\x00", 5) + random_text(0x4000)).size() <=
             alert_size);
  still_works();
  BOOST_TEST(server.log().find("refused 127.0.0.1:") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_is_not_in_allow_clients_is_closed_at_once) {
  const scratch_directory room;
  server_process server(room, {.more = {"-allow-clients", "10.0.0.0/8,::1"}});
  BOOST_TEST(answer_to(server.port(), "\x16\x03\x01").empty());
  BOOST_TEST(server.child().wait_for(output::err, "is not in -allow-clients", patience).has_value());
  const auto refused = client_process(room, server, 1, {.more = {"-no-retry"}, .wait_until_ready = false})
                           .child()
                           .wait(patience);
  BOOST_TEST_REQUIRE(refused.has_value());
  BOOST_TEST(refused->code == 1);
  BOOST_TEST(server.stop() == 0);
}

BOOST_AUTO_TEST_CASE(both_lists_let_in_whom_they_name) {
  const scratch_directory room;
  server_process server(
      room,
      {.more = {"-allow-clients", "::ffff:127.0.0.1", "-allow-visitors", "127.0.0.0/30"}, .listen = ":0"});
  const local_service echo(local_service::echo);
  client_process client(room, server, echo.port());
  BOOST_TEST(visit(client.public_port(), "in the list") == "in the list");

  server_process strict(room, {.more = {"-allow-visitors", "127.0.0.2,::/0"}});
  client_process other(room, strict, echo.port(), {.more = {"-state-dir", room.file("other-state")}});
  BOOST_TEST(answer_to(other.public_port(), "not in it").empty());
  BOOST_TEST(strict.child().wait_for(output::err, "is not in -allow-visitors", patience).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_wrong_secret_is_refused_in_either_protocol, good_tunnel) {
  for (const auto kind : {tls_peer::greeting::original, tls_peer::greeting::original_tls12}) {
    tls_peer stranger(server.port(), server.ca_file(), kind);
    BOOST_TEST(stranger.send("not-the-secret\n"));
    BOOST_TEST(received_until_end(stranger) == "ERROR: Invalid Secret\n");
  }
  tls_peer stranger(server.port(), server.ca_file(), tls_peer::greeting::native);
  native_identity who;
  who.secret = "not-the-secret";
  BOOST_TEST(stranger.send(make_hello(stranger, who)));
  const std::string refusal = received_until_end(stranger);
  BOOST_REQUIRE(refusal.size() == wire::hello_size);
  BOOST_TEST(refusal.at(5) == static_cast<char>(wire::hello_status::wrong_secret));
  // No proof for those who gave none: it could be tried against a dictionary.
  BOOST_TEST(refusal.substr(96) == std::string(32, '\0'));
  still_works();
}

BOOST_FIXTURE_TEST_CASE(an_endless_secret_line_is_cut_off, good_tunnel) {
  tls_peer stranger(server.port(), server.ca_file(), tls_peer::greeting::original);
  std::size_t sent = 0;
  while (sent < 64UL * 1024 * 1024 && stranger.send(std::string(16384, 'x'))) sent += 16384;
  // What the kernel buffers on both sides goes through; no more than that.
  BOOST_TEST(sent < 32UL * 1024 * 1024);
  BOOST_TEST(stranger.ended_within(patience));
  still_works();
}

BOOST_FIXTURE_TEST_CASE(a_replayed_or_garbled_hello_is_dropped, good_tunnel) {
  std::string hello;
  {
    tls_peer first(server.port(), server.ca_file(), tls_peer::greeting::native);
    hello = make_hello(first, {});
  }
  // The proof is bound to another TLS connection.
  tls_peer thief(server.port(), server.ca_file(), tls_peer::greeting::native);
  BOOST_TEST(thief.send(hello));
  const std::string refusal = received_until_end(thief);
  BOOST_REQUIRE(refusal.size() == wire::hello_size);
  BOOST_TEST(refusal.at(5) == static_cast<char>(wire::hello_status::wrong_secret));

  tls_peer stranger(server.port(), server.ca_file(), tls_peer::greeting::native);
  BOOST_TEST(stranger.send(random_text(wire::hello_size)));
  BOOST_TEST(received_until_end(stranger).empty());
  still_works();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(silent_strangers)

// The deadline of the admission is 10 s; all of these wait for it side by side.
BOOST_FIXTURE_TEST_CASE(silence_at_any_step_ends_at_the_deadline, good_tunnel) {
  const auto start = clock_type::now();
  const auto nothing = loopback_socket::connect(server.port());
  const auto half_a_record = loopback_socket::connect(server.port());
  half_a_record.write(std::string_view("\x16\x03\x01\x01", 4));
  tls_peer no_line(server.port(), server.ca_file(), tls_peer::greeting::original);
  tls_peer half_a_line(server.port(), server.ca_file(), tls_peer::greeting::original);
  BOOST_TEST(half_a_line.send("sesame"));
  tls_peer no_hello(server.port(), server.ca_file(), tls_peer::greeting::native);
  tls_peer half_a_hello(server.port(), server.ca_file(), tls_peer::greeting::native);
  BOOST_TEST(half_a_hello.send(make_hello(half_a_hello, {}).substr(0, 64)));
  native_peer no_control_stream(server);

  // Nobody is dropped early: a slow network is no crime.
  BOOST_TEST(!no_line.ended_within(
      std::chrono::duration_cast<std::chrono::milliseconds>(start + 8s - clock_type::now())));
  for (tls_peer* each : {&no_line, &half_a_line, &no_hello, &half_a_hello, &no_control_stream.tls()}) {
    BOOST_TEST(!each->ended());
    BOOST_TEST(each->ended_within(patience));
  }
  BOOST_TEST((ends(nothing, patience) != how::not_yet));
  BOOST_TEST((ends(half_a_record, patience) != how::not_yet));
  const auto took = clock_type::now() - start;
  BOOST_TEST((took > 9s && took < (sanitized ? 20s : 15s)));
  still_works();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(stranger_crowd)

BOOST_AUTO_TEST_CASE(four_hundred_silent_strangers_slow_nobody_down) {
  constexpr std::size_t size = sanitized ? 16UL * 1024 * 1024 : 100UL * 1024 * 1024;
  const scratch_directory room;
  server_process server(room);
  const local_service source([](loopback_socket& visitor) {
    send_pattern(visitor, size, 1);
    visitor.shutdown_write();
  });
  client_process client(room, server, source.port());
  const auto transfer = [&] {
    const auto start = clock_type::now();
    const auto visitor = loopback_socket::connect(client.public_port());
    BOOST_TEST(receive_pattern(visitor, 1) == size);
    return std::chrono::duration<double>(clock_type::now() - start).count();
  };
  const double alone = transfer();

  std::vector<loopback_socket> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(loopback_socket::connect(server.port()));
  std::vector<loopback_socket> stalled;
  for (int i = 0; i < 200; ++i) {
    stalled.push_back(loopback_socket::connect(server.port()));
    stalled.back().write(std::string_view("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  }
  const auto crowd_came = clock_type::now();
  double beside = transfer();
  // The machine may have had something else to do in either measurement: the strangers are there in all of
  // them.
  for (int i = 0; i < 3 && beside > 2 * alone; ++i) beside = std::min(beside, transfer());
  BOOST_TEST_MESSAGE(size / 1024 / 1024 << " MiB alone " << alone << " s, beside 400 strangers " << beside
                                        << " s");
  BOOST_TEST(beside < 3 * alone + 0.5);

  // A newcomer is not kept out by them.
  const auto start = clock_type::now();
  client_process newcomer(room, server, source.port(), {.more = {"-state-dir", room.file("other-state")}});
  BOOST_TEST_MESSAGE("a new client was ready after "
                     << std::chrono::duration<double>(clock_type::now() - start).count() << " s");
  if (!sanitized) BOOST_TEST((clock_type::now() - start < 5s));
  BOOST_TEST_MESSAGE("the server then took " << resident_kib(server.child().pid()) << " KiB");
  if (!sanitized) BOOST_TEST(resident_kib(server.child().pid()) < 120UL * 1024);
  // All of that within their time: they were still there.
  if (!sanitized) BOOST_TEST_WARN((clock_type::now() - crowd_came < 10s));
}

BOOST_AUTO_TEST_SUITE_END()
