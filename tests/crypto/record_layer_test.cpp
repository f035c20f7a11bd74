#include "gotunnel/crypto/record_layer.hpp"

#include "support/bytes_of.hpp"
#include "support/print_error.hpp"
#include "support/record_peers.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>

using namespace gotunnel;
using namespace gotunnel::crypto;
using namespace gotunnel::testing;

namespace {

using bytes = std::vector<std::byte>;

aead::nonce nonce_of_hex(const std::string& hex) {
  aead::nonce made;
  std::ranges::copy(bytes_of_hex(hex), made.begin());
  return made;
}

/// Ours, and the two ciphers of a peer that says whatever a test wants.
struct fixture {
  bytes ours = noise(32, 1);
  bytes theirs = noise(32, 2);
  // What `theirs` derives to (RFC 8446 7.3), for the record that record_cipher would not seal.
  bytes key = bytes_of_hex("5bb15f1a1fa73dbceb3b7569a3468a66");
  aead::nonce nonce = nonce_of_hex("d8e4c248ba7ed59ec05eed74");
  record_output output;
  record_layer layer{{suite_of(aes_128_gcm_sha256), ours, theirs}, output};
  record_cipher peer_seals{record_cipher::use::seal, suite_of(aes_128_gcm_sha256), theirs};
  record_cipher peer_opens{record_cipher::use::open, suite_of(aes_128_gcm_sha256), ours};

  bytes seal(record_type type, bytes_view plain) {
    bytes out(plain.size() + record_cipher::overhead);
    out.resize(peer_seals.seal(type, plain, out));
    return out;
  }
  bytes message(std::string_view hex) { return seal(record_type::handshake, bytes_of_hex(std::string(hex))); }
  bytes alert(std::string_view hex) { return seal(record_type::alert, bytes_of_hex(std::string(hex))); }
  bytes data(std::string_view text) { return seal(record_type::application_data, as_bytes(text)); }

  /// What the layer makes of `wire`, fed `piece` bytes at a time: text, then the failure in brackets.
  std::string hear(bytes_view wire, std::size_t piece = SIZE_MAX, std::size_t room = 40'000) {
    std::string heard;
    bytes to(room);
    while (!wire.empty()) {
      const bytes_view part = wire.first(std::min(piece, wire.size()));
      wire = wire.subspan(part.size());
      layer.feed(part);
      do {
        const auto got = layer.read(to);
        if (!got) break;
        heard += as_text(bytes_view(to).first(*got));
      } while (layer.pending_input() > 0);
    }
    if (layer.broken()) heard += "[" + layer.failure() + "]";
    return heard;
  }

  /// The next record of what the layer says on its own, as "type:hex".
  std::string next_said() {
    if (output.size() == 0) return "nothing";
    bytes record(5);
    output.take(record);
    record.resize(5 + load_be16(bytes_view(record).subspan(3, 2)));
    output.take(bytes_span(record).subspan(5));
    bytes to(record.size());
    const auto opened = peer_opens.open(record, to);
    if (!opened) return "not to be opened";
    return std::to_string(static_cast<int>(opened->type)) + ":" + to_hex(bytes_view(to).first(opened->size));
  }
};

/// In the order in which they were sealed: the parts of a sum would be made in any order.
bytes joined(std::initializer_list<bytes> parts) {
  bytes all;
  for (const bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(record_layer_after_the_handshake, fixture)

BOOST_AUTO_TEST_CASE(byte_by_byte_and_into_any_room) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{5000}, SIZE_MAX}) {
    for (const std::size_t room :
         {std::size_t{1}, std::size_t{1000}, std::size_t{16384}, std::size_t{100'000}}) {
      const bytes one = noise(16384, 3);
      const bytes two = noise(700, 4);
      const bytes wire = joined(
          {seal(record_type::application_data, one), data(""), seal(record_type::application_data, two)});
      BOOST_TEST((hear(wire, piece, room) == std::string(as_text(one)) + std::string(as_text(two))));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_we_write_the_peer_opens) {
  const bytes plain = noise(40'000, 5);
  bytes out(plain.size() + 3 * record_cipher::overhead);
  BOOST_TEST(layer.write(plain, out) == out.size());
  bytes heard;
  for (bytes_view rest = out; !rest.empty();) {
    const bytes_view record = rest.first(5 + load_be16(rest.subspan(3, 2)));
    bytes to(record_cipher::opened_size(record.size()));
    BOOST_REQUIRE(peer_opens.open(record, to).has_value());
    heard = joined({heard, to});
    rest = rest.subspan(record.size());
  }
  BOOST_TEST((heard == plain));
}

BOOST_AUTO_TEST_CASE(keys_change_when_the_peer_says_so) {
  const bytes before = joined({data("before "), message("18000001 00")});
  peer_seals.update();
  BOOST_TEST(hear(joined({before, data("after")})) == "before after");
  BOOST_TEST(next_said() == "nothing");
}

BOOST_AUTO_TEST_CASE(a_key_update_is_answered_when_that_is_asked) {
  const bytes asked = message("18000001 01");
  peer_seals.update();
  BOOST_TEST(hear(joined({asked, data("x")})) == "x");
  BOOST_TEST(next_said() == "22:1800000100");
  peer_opens.update();
  layer.shut();
  BOOST_TEST(next_said() == "21:0100");
}

BOOST_AUTO_TEST_CASE(our_own_key_update_precedes_the_data) {
  layer.rekey();
  bytes out(100);
  const std::size_t size = layer.write(as_bytes("hello"), out);
  BOOST_REQUIRE(size == 27 + 27u);
  bytes to(100);
  BOOST_TEST((peer_opens.open(bytes_view(out).first(27), to)->type == record_type::handshake));
  peer_opens.update();
  BOOST_TEST(peer_opens.open(bytes_view(out).subspan(27, 27), to)->size == 5u);
}

BOOST_AUTO_TEST_CASE(tickets_are_dropped) {
  BOOST_TEST(hear(joined({message("04000003aabbcc 0400000100"), data("x")})) == "x");
}

BOOST_AUTO_TEST_CASE(other_handshake_messages_end_it) {
  struct {
    const char* hex;
    const char* why;
    const char* said;
  } const cases[] = {
      {"", "an empty handshake record", "21:020a"},
      {"01000000", "a handshake after the handshake", "21:020a"},
      {"180000010018000001", "a handshake after the handshake", "21:020a"}, // not the last under its key
      {"180000", "a handshake message in pieces", "21:020a"},
      {"1800000200", "a handshake message in pieces", "21:020a"},
      {"18000000", "a broken key update", "21:0232"},
      {"1800000102", "a broken key update", "21:022f"},
  };
  for (const auto& each : cases) {
    fixture fresh;
    BOOST_TEST(fresh.hear(fresh.message(each.hex)) == std::string("[") + each.why + "]");
    BOOST_TEST(fresh.next_said() == each.said);
  }
}

BOOST_AUTO_TEST_CASE(alerts) {
  {
    fixture fresh;
    BOOST_TEST(fresh.hear(joined({fresh.data("bye"), fresh.alert("015a"), fresh.alert("0100"),
                                  fresh.data("ghost")})) == "bye");
    BOOST_TEST(fresh.layer.closed());
    BOOST_TEST(fresh.layer.pending_input() == 0u);
  }
  {
    fixture fresh;
    BOOST_TEST(fresh.hear(joined({fresh.data("x"), fresh.alert("0214")})) ==
               "x[the peer ended it: bad record mac]");
    BOOST_TEST(!fresh.layer.closed());
    BOOST_TEST(fresh.next_said() == "nothing");
  }
  {
    fixture fresh;
    BOOST_TEST(fresh.hear(fresh.alert("02")) == "[a broken alert]");
  }
}

BOOST_AUTO_TEST_CASE(records_that_nobody_should_send) {
  const auto after = [](bytes wire) {
    fixture fresh;
    const std::string heard = fresh.hear(wire);
    return heard + fresh.next_said();
  };
  BOOST_TEST(after(bytes_of_hex("1403030001 01")) == "[a record that is not protected]21:020a");
  BOOST_TEST(after(bytes_of_hex("1703034101")) == "[a record is too long]21:0216");
  BOOST_TEST(after(bytes_of_hex("1703030000")) == "[a record is too short]21:0232");
  BOOST_TEST(after(joined({bytes_of_hex("1703030011"), bytes(17)})) ==
             "[decryption failed or bad record mac]21:0214");
  fixture fresh;
  BOOST_TEST(fresh.hear(fresh.seal(record_type{20}, as_bytes("x"))) == "[a record of an unknown kind]");
}

BOOST_AUTO_TEST_CASE(padding_may_make_a_record_longer_and_text_may_not) {
  // Behind the longest text: its type and 200 bytes of padding, or one byte more of text. seal() makes no
  // such record, so it is put together from what seal() calls text.
  const auto sealed_beyond_the_limit = [this](const bytes& inner) {
    const auto cipher = aead::make(suite_of(aes_128_gcm_sha256), key, aead::use::seal);
    bytes record = bytes_of_hex("170303");
    record.resize(5);
    store_be16(bytes_span(record).subspan(3), static_cast<std::uint16_t>(inner.size() + aead::tag_size));
    record.resize(5 + inner.size() + aead::tag_size);
    cipher->seal(nonce, bytes_view(record).first(5), bytes_view(inner).first(inner.size() - 1), inner.back(),
                 bytes_span(record).subspan(5));
    return record;
  };
  bytes padded(16'384, std::byte{'a'});
  padded.push_back(std::byte{23});
  padded.resize(padded.size() + 200);
  BOOST_TEST(hear(sealed_beyond_the_limit(padded)) == std::string(16'384, 'a'));
  fixture fresh;
  bytes text(16'385, std::byte{'a'});
  text.push_back(std::byte{23});
  BOOST_TEST(fresh.hear(sealed_beyond_the_limit(text)) == "[a record is too long]");
}

BOOST_AUTO_TEST_CASE(a_peer_that_takes_no_answers) {
  // With data between its demands, which alone are too many soon.
  const std::string data(16'384, 'x');
  std::string heard = data;
  int rounds = 0;
  for (; heard == data && rounds < 10'000; ++rounds) {
    bytes wire = message("18000001 01");
    peer_seals.update();
    wire = joined({wire, seal(record_type::application_data, as_bytes(data))});
    heard = hear(wire);
    BOOST_REQUIRE(output.size() <= record_output::limit);
  }
  BOOST_TEST(heard == "[the peer demands answers and does not take them]");
}

BOOST_AUTO_TEST_CASE(records_without_data_are_limited) {
  const auto key_update = [](fixture& peer) {
    bytes record = peer.message("18000001 00");
    peer.peer_seals.update();
    return record;
  };
  const auto ticket = [](fixture& peer) { return peer.message("04000003aabbcc"); };
  const auto warning = [](fixture& peer) { return peer.alert("015a"); };
  const auto nothing = [](fixture& peer) { return peer.data(""); };
  const std::function<bytes(fixture&)> kinds[] = {key_update, ticket, warning, nothing};
  for (const auto& make : kinds) {
    fixture fresh;
    for (int i = 0; i < 32; ++i) BOOST_REQUIRE(fresh.hear(make(fresh)).empty());
    BOOST_TEST(fresh.hear(make(fresh)) == "[too many records without data]");
    BOOST_TEST(fresh.next_said() == "21:020a");
  }
}

BOOST_AUTO_TEST_CASE(only_much_data_earns_further_records_without_any) {
  int between = 0;
  for (; between < 100 && !layer.broken(); ++between) (void)hear(joined({data("x"), data("")}));
  BOOST_TEST(between == 33);

  fixture other;
  const std::string block(16'384, 'x');
  for (int i = 0; i < 100; ++i)
    BOOST_REQUIRE((other.hear(joined({other.data(""), other.data(block)})) == block));
}

BOOST_AUTO_TEST_CASE(one_read_opens_so_many_records) {
  bytes wire;
  for (int i = 0; i < 300; ++i) wire = joined({wire, data("x")});
  bytes to(1000);
  layer.feed(wire);
  BOOST_TEST(*layer.read(to) == 256u);
  BOOST_TEST(layer.pending_input() > 0u);
  BOOST_TEST(*layer.read(to) == 44u);
  BOOST_TEST(layer.pending_input() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
