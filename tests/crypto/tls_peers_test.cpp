// Peers that are not ours, wrong, hostile, or of the original program, against tls_engine and tls_context.
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/crypto/tls_engine.hpp"

#include "support/certificates.hpp"
#include "support/print_error.hpp"
#include "support/raw_tls_peer.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>

using namespace gotunnel;
using namespace gotunnel::crypto;
using namespace gotunnel::testing;
using role = raw_tls_peer::role;

namespace {

wall_time now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

struct fixture {
  credential authority = *make_authority(now());
  credential leaf = *issue_server(authority, now(), std::chrono::days{30});

  [[nodiscard]] tls_engine server(bool seed_peers = true) const {
    return tls_engine(*tls_context::server({leaf, authority.certificate, seed_peers}));
  }
  [[nodiscard]] tls_engine client(bool seed_peers = true) const {
    return tls_engine(*tls_context::client({authority.certificate, "", seed_peers}));
  }
};

/// How a stranger's first bytes end the handshake.
error_code answer_to(tls_engine& engine, std::string_view bytes) {
  byte_vector ignored;
  bool done = false;
  error_code error;
  engine_pair::advance(engine, ignored, done, error); // a client speaks first
  engine.feed(as_bytes(bytes));
  engine_pair::advance(engine, ignored, done, error);
  return error;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(tls_peers, fixture)

BOOST_AUTO_TEST_CASE(a_seed_client_is_served_with_tls_13_and_without_alpn) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client);
  BOOST_TEST(*peer.handshake_with(engine));
  BOOST_TEST(engine.alpn() == "");
  BOOST_TEST(peer.description().substr(0, 7) == "TLSv1.3");
  peer.feed(*seal(engine, as_bytes("OK\n")));
  BOOST_TEST(peer.read() == "OK\n");
}

BOOST_AUTO_TEST_CASE(a_seed_client_of_tls_12_is_served) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client, only_tls12);
  BOOST_TEST(*peer.handshake_with(engine));
  BOOST_TEST(peer.description() == "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256");
  const byte_vector plain(100'000, std::byte{'x'});
  const byte_vector wire = *seal(engine, plain);
  BOOST_TEST(wire.size() == plain.size() + 7 * 29);
  peer.feed(wire);
  BOOST_TEST(peer.read().size() == 16'384u);
  BOOST_TEST(as_text(*open(engine, peer.seal(as_bytes("secret\n")))) == "secret\n");
  engine.rekey(); // does nothing here
  BOOST_TEST(seal(engine, as_bytes("x")).has_value());
}

BOOST_AUTO_TEST_CASE(tls_12_cannot_renegotiate) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client, only_tls12);
  BOOST_REQUIRE(*peer.handshake_with(engine));
  SSL_renegotiate(peer.ssl());
  SSL_do_handshake(peer.ssl());
  const auto opened = open(engine, peer.take());
  BOOST_TEST((!opened || opened->empty()));
  BOOST_TEST(engine.pending_output() < 100u); // a warning, no handshake
}

BOOST_AUTO_TEST_CASE(seed_clients_are_refused_when_they_are_off) {
  for (const auto& configure : {+[](SSL_CTX*) {}, +[](SSL_CTX* context) { only_tls12(context); }}) {
    tls_engine engine = server(false);
    raw_tls_peer peer(role::client, configure);
    BOOST_TEST(peer.handshake_with(engine).error() == errc::seed_peer_refused);
    BOOST_TEST(peer.complaint().find("no application protocol") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(tls_12_with_alpn_is_refused_everywhere) {
  for (const bool seed_peers : {true, false}) {
    tls_engine engine = server(seed_peers);
    raw_tls_peer peer(role::client, [](SSL_CTX* context) {
      only_tls12(context);
      offer(context, "gotunnel/1");
    });
    BOOST_TEST(peer.handshake_with(engine).has_error());
  }
}

BOOST_AUTO_TEST_CASE(other_protocols_are_refused_by_alert) {
  for (const bool seed_peers : {true, false}) {
    tls_engine engine = server(seed_peers);
    raw_tls_peer peer(role::client, [](SSL_CTX* context) { offer(context, "h2"); });
    BOOST_TEST(peer.handshake_with(engine).error() == errc::not_gotunnel);
    BOOST_TEST(peer.complaint().find("no application protocol") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(the_native_protocol_is_found_among_others) {
  tls_engine engine = server(false);
  raw_tls_peer peer(role::client, [](SSL_CTX* context) {
    static constexpr std::string_view list = "\x02h2\x0agotunnel/1\x08http/1.1";
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()), list.size());
  });
  BOOST_TEST(*peer.handshake_with(engine));
  BOOST_TEST(engine.alpn() == "gotunnel/1");
}

BOOST_AUTO_TEST_CASE(tls_11_is_refused) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client, [](SSL_CTX* context) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_VERSION, nullptr);
    SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_1_VERSION, nullptr);
  });
  BOOST_TEST(peer.handshake_with(engine).error() == errc::tls_failure);
  BOOST_TEST(engine.failure() == "unsupported protocol");
}

BOOST_AUTO_TEST_CASE(a_seed_server_is_taken_or_refused) {
  const auto [seed_authority, seed_leaf] = make_seed_certificates(now() - 1min);
  const auto as_seed = [&seed_leaf](SSL_CTX* context) { present(context, seed_leaf); };
  {
    tls_engine engine(*tls_context::client({seed_authority.certificate, "", true}));
    raw_tls_peer peer(role::server, as_seed);
    BOOST_TEST(*peer.handshake_with(engine));
    BOOST_TEST(engine.alpn() == "");
    // Go and OpenSSL send session tickets first, and those yield no data.
    byte_vector wire = peer.take();
    const byte_vector words = peer.seal(as_bytes("OK\n"));
    wire.insert(wire.end(), words.begin(), words.end());
    BOOST_TEST(as_text(*open(engine, wire)) == "OK\n");
  }
  tls_engine engine(*tls_context::client({seed_authority.certificate, "", false}));
  raw_tls_peer peer(role::server, as_seed);
  BOOST_TEST(peer.handshake_with(engine).error() == errc::seed_peer_refused);
}

BOOST_AUTO_TEST_CASE(the_client_asks_for_the_internal_name) {
  tls_engine engine = client();
  raw_tls_peer peer(role::server, [&](SSL_CTX* context) { present(context, leaf); });
  BOOST_REQUIRE(*peer.handshake_with(engine));
  BOOST_TEST(SSL_get_servername(peer.ssl(), TLSEXT_NAMETYPE_host_name) == server_name);
}

BOOST_AUTO_TEST_CASE(a_server_that_answers_with_another_protocol_is_not_ours) {
  tls_engine engine = client();
  raw_tls_peer peer(role::server, [&](SSL_CTX* context) {
    present(context, leaf);
    insist_on(context, "h2");
  });
  BOOST_TEST(peer.handshake_with(engine).has_error());
}

BOOST_AUTO_TEST_CASE(a_server_that_answers_natively_over_tls_12_is_not_ours) {
  tls_engine engine = client();
  raw_tls_peer peer(role::server, [&](SSL_CTX* context) {
    only_tls12(context);
    present(context, leaf);
    insist_on(context, "gotunnel/1");
  });
  BOOST_TEST(peer.handshake_with(engine).error() == errc::not_gotunnel);
}

BOOST_AUTO_TEST_CASE(plain_protocols_on_the_port_are_named) {
  for (const std::string_view greeting :
       {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "CONNECT a:443 HTTP/1.1\r\n\r\n",
        "\x05\x02\x01\x02 and more of SOCKS"}) {
    tls_engine engine = server();
    BOOST_TEST(answer_to(engine, greeting) == errc::not_gotunnel, greeting);
    BOOST_TEST(!engine.failure().empty());
  }
  tls_engine engine = client();
  BOOST_TEST(answer_to(engine, "HTTP/1.1 400 Bad Request\r\n\r\n") == errc::not_gotunnel);
}

BOOST_AUTO_TEST_CASE(garbage_never_gets_through) {
  std::string garbage;
  for (unsigned seed = 0; seed < 300; ++seed) {
    garbage =
        garbage.substr(garbage.size() / 2) + static_cast<char>(seed * 37) + static_cast<char>(seed >> 3);
    garbage += to_hex(sha256(as_bytes(garbage)));
    for (const char* header : {"", "\x16\x03\x01", "\x16\x03\x03", "\x80", "\x15\x03\x03"}) {
      tls_engine engine = server();
      const error_code error = answer_to(engine, header + garbage);
      BOOST_TEST((!error || error == errc::tls_failure || error == errc::not_gotunnel));
      BOOST_TEST(engine.pending_output() < 100u);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_handshake_that_never_ends_is_cut_off) {
  // Warning-free and endless: a hello in fragments of one byte each, which TLS permits.
  tls_engine engine = server();
  byte_vector ignored;
  bool done = false;
  error_code error;
  std::string record =
      std::string("\x16\x03\x01\x00\x04", 5) + std::string("\x01\x01\xff\xff", 4); // 128 KiB announced
  std::size_t fed = 0;
  while (!error && fed < 1'000'000) {
    engine.feed(as_bytes(record));
    engine_pair::advance(engine, ignored, done, error);
    fed += record.size();
    record = std::string("\x16\x03\x01\x40\x00", 5) + std::string(16'384, '\0');
  }
  BOOST_TEST(error == errc::tls_failure);
  BOOST_TEST(engine.failure() == "the handshake is too long");
  BOOST_TEST(fed <= 96 * 1024u);
}

BOOST_AUTO_TEST_CASE(a_flood_of_key_updates_is_bounded) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client);
  BOOST_REQUIRE(*peer.handshake_with(engine));
  error_code error;
  for (int i = 0; i < 10'000 && !error; ++i) {
    SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED);
    const byte_vector wire = peer.seal(as_bytes("x"));
    const auto opened = open(engine, wire);
    if (!opened) error = opened.error();
    BOOST_REQUIRE(engine.pending_output() <= 64 * 1024u);
  }
  BOOST_TEST(error == errc::tls_failure);
}

BOOST_AUTO_TEST_CASE(key_updates_without_data_end_the_connection) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client);
  BOOST_REQUIRE(*peer.handshake_with(engine));
  byte_vector wire;
  for (int i = 0; i < 1000; ++i) {
    SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(peer.ssl()); // which sends it
    const byte_vector next = peer.take();
    wire.insert(wire.end(), next.begin(), next.end());
  }
  BOOST_TEST_REQUIRE(wire.size() > 20'000u);
  const auto opened = open(engine, wire);
  BOOST_TEST((opened.error() == errc::tls_failure));
  BOOST_TEST(engine.failure() == "too many records without data");
}

BOOST_AUTO_TEST_CASE(a_few_key_updates_are_fine) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client);
  BOOST_REQUIRE(*peer.handshake_with(engine));
  for (int i = 0; i < 30; ++i) {
    SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    BOOST_TEST(as_text(*open(engine, peer.seal(as_bytes("x")))) == "x");
  }
  const std::string block(16'384, 'x');
  for (int i = 0; i < 100; ++i) {
    SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    BOOST_REQUIRE(open(engine, peer.seal(as_bytes(block))).has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_key_of_tls_12_serves_for_so_many_records_and_no_more) {
  const auto of_four = [this](const std::function<void(SSL_CTX*)>& configure, auto use) {
    tls_engine engine(*tls_context::server({leaf, authority.certificate, true}),
                      {.change_after = 2, .unchangeable = 4});
    raw_tls_peer peer(role::client, configure);
    BOOST_REQUIRE(*peer.handshake_with(engine));
    use(engine, peer);
  };
  const auto seal_some = [](tls_engine& engine, raw_tls_peer&) {
    BOOST_TEST(engine.key_life() == 1.0);
    BOOST_TEST(seal(engine, as_bytes("small")).has_value());
    BOOST_TEST(engine.key_life() == 0.75);
    BOOST_TEST(seal(engine, byte_vector(40'000)).has_value()); // three records
    BOOST_TEST(engine.key_life() == 0.0);
    BOOST_TEST((seal(engine, as_bytes("x")).error() == errc::keys_worn));
  };
  of_four(only_tls12, seal_some);
  const auto open_some = [](tls_engine& engine, raw_tls_peer& peer) {
    for (int i = 0; i < 4; ++i) BOOST_TEST(as_text(*open(engine, peer.seal(as_bytes("x")))) == "x");
    BOOST_TEST((open(engine, peer.seal(as_bytes("x"))).error() == errc::keys_worn));
  };
  of_four(only_tls12, open_some);
  // TLS 1.3 changes its keys.
  const auto seal_more = [](tls_engine& engine, raw_tls_peer& peer) {
    for (int i = 0; i < 20; ++i) {
      peer.feed(*seal(engine, as_bytes("x")));
      BOOST_TEST(peer.read() == "x");
    }
    BOOST_TEST(engine.key_life() == 1.0);
  };
  of_four({}, seal_more);
}

BOOST_AUTO_TEST_CASE(the_answer_to_a_key_update_leaves_before_later_data) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client);
  BOOST_REQUIRE(*peer.handshake_with(engine));
  SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED);
  BOOST_TEST(as_text(*open(engine, peer.seal(as_bytes("change")))) == "change");
  // Whether OpenSSL answers at once or with the next write() is its choice; the room that is asked for covers
  // both.
  byte_vector too_small(sealed_room(engine, 5) - 1);
  std::size_t filled = 0;
  BOOST_TEST(engine.write(as_bytes("after"), too_small, filled).error() == errc::limit_exceeded);
  const byte_vector wire = *seal(engine, as_bytes("after"));
  BOOST_TEST(engine.pending_output() == 0u);
  peer.feed(wire);
  BOOST_TEST(peer.read() == "after");
}

BOOST_AUTO_TEST_CASE(a_flood_of_renegotiations_is_bounded) {
  tls_engine engine = server();
  raw_tls_peer peer(role::client, only_tls12);
  BOOST_REQUIRE(*peer.handshake_with(engine));
  for (int i = 0; i < 50; ++i) {
    SSL_renegotiate(peer.ssl());
    SSL_do_handshake(peer.ssl());
    if (!open(engine, peer.take())) break;
  }
  BOOST_TEST(engine.pending_output() < 4096u);
}

BOOST_AUTO_TEST_SUITE_END()
