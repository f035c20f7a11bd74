#include "gotunnel/crypto/tls_engine.hpp"

#include "support/certificates.hpp"
#include "support/engine_pair.hpp"
#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using namespace gotunnel;
using namespace gotunnel::crypto;
using gotunnel::testing::byte_vector;
using gotunnel::testing::engine_pair;

namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

/// One CA and one leaf for all tests of this file.
struct fixture {
  credential authority = *make_authority(now());
  credential leaf = *issue_server(authority, now(), std::chrono::days{30});

  [[nodiscard]] tls_context server(bool seed_peers = true) const {
    return *tls_context::server({leaf, authority.certificate, seed_peers});
  }
  [[nodiscard]] tls_context client(bool seed_peers = true) const {
    return *tls_context::client({authority.certificate, "", seed_peers});
  }
  [[nodiscard]] engine_pair pair() const { return {tls_engine(client()), tls_engine(server())}; }
};

byte_vector noise(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  byte_vector bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(generator());
  return bytes;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(tls_engine_of_a_pair, fixture)

BOOST_AUTO_TEST_CASE(two_gotunnels_agree_on_the_native_protocol) {
  engine_pair p = pair();
  BOOST_TEST(p.handshake());
  BOOST_TEST(p.client.failure() == "");
  BOOST_TEST(p.server.failure() == "");
  BOOST_TEST(p.client.alpn() == "gotunnel/1");
  BOOST_TEST(p.server.alpn() == "gotunnel/1");
}

BOOST_AUTO_TEST_CASE(handshake_byte_by_byte) {
  engine_pair p = pair();
  p.piece = 1;
  BOOST_TEST(p.handshake());
}

BOOST_AUTO_TEST_CASE(a_sentence_each_way) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  const auto there = testing::seal(p.client, as_bytes("hello"));
  BOOST_TEST(as_text(*testing::open(p.server, *there)) == "hello");
  const auto back = testing::seal(p.server, as_bytes("good day"));
  BOOST_TEST(as_text(*testing::open(p.client, *back)) == "good day");
}

BOOST_AUTO_TEST_CASE(big_data_both_ways_in_pieces_of_any_size) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    engine_pair p = pair();
    BOOST_REQUIRE(p.handshake());
    std::mt19937 dice(seed);
    const auto any = [&dice](std::size_t most) { return 1 + dice() % most; };
    for (const bool upward : {true, false}) {
      tls_engine& from = upward ? p.client : p.server;
      tls_engine& to = upward ? p.server : p.client;
      const byte_vector plain = noise(1'000'000, seed);
      const byte_vector wire = *testing::seal(from, plain, any(200'000));
      byte_vector heard;
      for (bytes_view rest = wire; !rest.empty();) {
        const bytes_view part = rest.first(std::min(rest.size(), any(50'000)));
        const auto opened = testing::open(to, part, any(40'000));
        BOOST_REQUIRE(opened.has_value());
        heard.insert(heard.end(), opened->begin(), opened->end());
        rest = rest.subspan(part.size());
      }
      BOOST_TEST((heard == plain));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_a_small_read_left_counts_as_pending) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  const byte_vector plain = noise(16 * 1024, 7);
  const byte_vector wire = *testing::seal(p.client, plain);
  byte_vector to(10'000);
  p.server.feed(wire);
  BOOST_TEST(*p.server.read(to) == 10'000u);
  BOOST_TEST(p.server.pending_input() == 6'384u);
  BOOST_TEST(*p.server.read(to) == 6'384u);
  BOOST_TEST(p.server.pending_input() == 0u);
  BOOST_TEST(*p.server.read(to) == 0u);
}

BOOST_AUTO_TEST_CASE(sealed_size_is_enough_and_not_much_too_much) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  for (const std::size_t size : {1u, 100u, 16'383u, 16'384u, 16'385u, 131'072u}) {
    const byte_vector plain = noise(size, 1);
    const std::size_t records = (size + tls_engine::record_plain - 1) / tls_engine::record_plain;
    BOOST_TEST(testing::seal(p.client, plain)->size() == size + 22 * records);
    BOOST_TEST(tls_engine::sealed_size(size) <= size + 32 * (records + 1));
  }
}

BOOST_AUTO_TEST_CASE(a_write_without_room_changes_nothing) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  byte_vector out(tls_engine::sealed_size(100) - 1);
  std::size_t filled = 0;
  BOOST_TEST(p.client.write(noise(100, 1), out, filled).error() == errc::limit_exceeded);
  BOOST_TEST(filled == 0u);
  BOOST_TEST(p.client.write({}, {}, filled).has_value());
  const auto wire = testing::seal(p.client, as_bytes("still fine"));
  BOOST_TEST(as_text(*testing::open(p.server, *wire)) == "still fine");
}

BOOST_AUTO_TEST_CASE(writes_append_to_one_buffer) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  byte_vector out(4096);
  std::size_t filled = 0;
  for (const std::string_view word : {"one ", "two ", "three"}) {
    BOOST_REQUIRE(p.client.write(as_bytes(word), out, filled).has_value());
  }
  BOOST_TEST(filled == 13 + 3 * 22u);
  BOOST_TEST(as_text(*testing::open(p.server, bytes_view(out).first(filled))) == "one two three");
}

BOOST_AUTO_TEST_CASE(an_engine_may_move) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  tls_engine moved(std::move(p.client));
  const auto wire = testing::seal(moved, as_bytes("hello"));
  BOOST_TEST(as_text(*testing::open(p.server, *wire)) == "hello");
}

BOOST_AUTO_TEST_CASE(an_engine_outlives_the_context_it_was_made_of) {
  const std::string pin = read_certificate(authority.certificate)->pin;
  engine_pair p{tls_engine(*tls_context::client({"", pin, true})), tls_engine(server())};
  BOOST_TEST(p.handshake());
}

BOOST_AUTO_TEST_CASE(close_notify_ends_one_direction) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  byte_vector wire = *testing::seal(p.client, as_bytes("last words"));
  p.client.shut();
  p.client.shut(); // once is enough
  testing::take_all(p.client, wire);
  BOOST_TEST(as_text(*testing::open(p.server, wire)) == "last words");
  BOOST_TEST(p.server.closed());
  BOOST_TEST(p.server.pending_input() == 0u);
  std::size_t filled = 0;
  BOOST_TEST(p.client.write(as_bytes("x"), {}, filled).error() == errc::closed);
  // The other direction is still open.
  const auto answer = testing::seal(p.server, as_bytes("farewell"));
  BOOST_TEST(as_text(*testing::open(p.client, *answer)) == "farewell");
  BOOST_TEST(!p.client.closed());
}

BOOST_AUTO_TEST_CASE(what_comes_after_close_notify_is_dropped) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  byte_vector wire;
  p.client.shut();
  testing::take_all(p.client, wire);
  const byte_vector junk = noise(1000, 3);
  wire.insert(wire.end(), junk.begin(), junk.end());
  BOOST_TEST(testing::open(p.server, wire)->empty());
  BOOST_TEST(p.server.closed());
  p.server.feed(junk);
  BOOST_TEST(p.server.pending_input() == 0u);
}

BOOST_AUTO_TEST_CASE(a_truncated_record_is_neither_data_nor_an_end) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  byte_vector wire = *testing::seal(p.client, noise(30'000, 5));
  wire.resize(wire.size() - 1);
  BOOST_TEST(testing::open(p.server, wire)->size() == 16'384u);
  BOOST_TEST(!p.server.closed());
}

BOOST_AUTO_TEST_CASE(a_changed_byte_fails_after_the_good_records_and_for_ever) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  byte_vector wire = *testing::seal(p.client, noise(20'000, 5));
  wire.back() ^= std::byte{1};
  byte_vector to(64 * 1024);
  p.server.feed(wire);
  BOOST_TEST(*p.server.read(to) == 16'384u);
  BOOST_TEST(p.server.read(to).error() == errc::tls_failure);
  BOOST_TEST(p.server.read(to).error() == errc::tls_failure);
  BOOST_TEST(p.server.failure() == "decryption failed or bad record mac");
  BOOST_TEST(p.server.pending_input() == 0u);
  std::size_t filled = 0;
  BOOST_TEST(p.server.write(as_bytes("x"), to, filled).error() == errc::tls_failure);
  BOOST_TEST(p.server.pending_output() > 0u); // the alert
  byte_vector alert;
  testing::take_all(p.server, alert);
  BOOST_TEST(testing::open(p.client, alert).error() == errc::tls_failure);
  BOOST_TEST(p.client.failure().find("bad record mac") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(both_ends_export_the_same_keying_material) {
  engine_pair p = pair();
  BOOST_TEST(p.client.exporter("EXPORTER-early").has_error());
  BOOST_REQUIRE(p.handshake());
  const auto one = p.client.exporter("EXPORTER-gotunnel");
  BOOST_TEST((*one == *p.server.exporter("EXPORTER-gotunnel")));
  BOOST_TEST((*one != *p.server.exporter("EXPORTER-other")));
  engine_pair q = pair();
  BOOST_REQUIRE(q.handshake());
  BOOST_TEST((*one != *q.client.exporter("EXPORTER-gotunnel")));
}

BOOST_AUTO_TEST_CASE(keys_change_in_the_middle_of_the_data) {
  engine_pair p = pair();
  BOOST_REQUIRE(p.handshake());
  p.client.rekey(); // before anything was sent: nothing goes out by itself
  BOOST_TEST(p.client.pending_output() == 0u);
  byte_vector wire;
  byte_vector plain;
  for (unsigned i = 0; i < 5; ++i) {
    const byte_vector part = noise(40'000, i);
    const byte_vector sealed = *testing::seal(p.client, part);
    BOOST_TEST(sealed.size() <= tls_engine::sealed_size(part.size()));
    plain.insert(plain.end(), part.begin(), part.end());
    wire.insert(wire.end(), sealed.begin(), sealed.end());
    p.client.rekey();
  }
  BOOST_TEST((*testing::open(p.server, wire) == plain));
}

BOOST_AUTO_TEST_CASE(keys_change_by_records_and_not_by_bytes) {
  engine_pair p{tls_engine(client(), {.change_after = 3, .unchangeable = 100}), tls_engine(server())};
  BOOST_REQUIRE(p.handshake());
  // A key update is a record of 27 bytes more.
  std::string changes;
  for (int i = 0; i < 8; ++i) {
    const byte_vector wire = *testing::seal(p.client, as_bytes("x"));
    changes += wire.size() > 23 ? 'c' : '.';
    BOOST_TEST(as_text(*testing::open(p.server, wire)) == "x");
  }
  BOOST_TEST(changes == "...c..c.");
}

BOOST_AUTO_TEST_SUITE_END()
