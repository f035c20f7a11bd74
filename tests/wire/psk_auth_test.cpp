#include "gotunnel/wire/psk_auth.hpp"

#include "gotunnel/crypto/digest.hpp"

#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

template <std::size_t Size>
std::array<std::byte, Size> filled(unsigned value) {
  std::array<std::byte, Size> bytes{};
  bytes.fill(static_cast<std::byte>(value));
  return bytes;
}

psk_context context_of(unsigned key, unsigned exporter) {
  psk_context context;
  const auto bytes = filled<32>(key);
  std::copy(bytes.begin(), bytes.end(), context.key.span().begin());
  context.exporter = filled<32>(exporter);
  return context;
}

const psk_context ours = context_of(0x11, 0x22);
const psk_context other_key = context_of(0x12, 0x22);
const psk_context other_exporter = context_of(0x11, 0x23);

client_hello a_client() {
  client_hello hello;
  hello.capabilities = 0x01020304;
  hello.generation = 0x05060708;
  hello.client = filled<16>(0xaa);
  hello.instance = filled<16>(0xbb);
  hello.session = filled<16>(0xcc);
  hello.nonce = filled<20>(0xdd);
  hello.window = 0x21222324;
  hello.received = 0x3132333435363738;
  return hello;
}

server_hello a_server(hello_status status = hello_status::accepted) {
  server_hello hello;
  hello.status = status;
  hello.capabilities = 0x11121314;
  hello.generation = 0x15161718;
  hello.session = filled<16>(0xee);
  hello.nonce = filled<32>(0xff);
  hello.received = 0x4142434445464748;
  hello.window = 0x51525354;
  return hello;
}

template <class Function>
void for_each_bit_flipped(const hello_bytes& hello, Function&& check) {
  for (std::size_t bit = 0; bit < hello_size * 8; ++bit) {
    hello_bytes flipped = hello;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    BOOST_TEST_CONTEXT("byte " << bit / 8 << ", bit " << bit % 8) { check(flipped, bit / 8); }
  }
}

std::string times(std::size_t count, std::string_view hex) {
  std::string text;
  while (count-- > 0) text += hex;
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(wire_psk_auth)

BOOST_AUTO_TEST_CASE(both_prove_the_secret) {
  const hello_bytes first = make_client_hello(a_client(), ours);
  const auto client = read_client_hello(first, ours);
  BOOST_TEST_REQUIRE(client.has_value());
  BOOST_TEST((*client == a_client()));

  for (const hello_status status : {hello_status::accepted, hello_status::busy}) {
    const hello_bytes second = make_server_hello(a_server(status), first, ours);
    const auto server = read_server_hello(second, first, ours);
    BOOST_TEST_REQUIRE(server.has_value());
    BOOST_TEST((*server == a_server(status)));
  }
}

BOOST_AUTO_TEST_CASE(layout_is_as_documented) {
  const hello_bytes first = make_client_hello(a_client(), ours);
  BOOST_TEST(to_hex(bytes_view{first}.first(96)) == "47544e3101000000"
                                                    "0102030405060708" +
                                                        times(16, "aa") + times(16, "bb") + times(16, "cc") +
                                                        times(20, "dd") + "21222324" + "3132333435363738");
  const auto proof = crypto::hmac_sha256(
      ours.key.view(), {as_bytes("gotunnel/1 client"), ours.exporter, bytes_view{first}.first(96)});
  BOOST_TEST(to_hex(bytes_view{first}.subspan(96)) == to_hex(proof));

  const hello_bytes second = make_server_hello(a_server(hello_status::busy), first, ours);
  BOOST_TEST(to_hex(bytes_view{second}.first(96)) == "47544e3101030000"
                                                     "1112131415161718" +
                                                         times(16, "ee") + times(32, "ff") +
                                                         "4142434445464748" + "51525354" + times(20, "00"));
  const auto answer = crypto::hmac_sha256(
      ours.key.view(), {as_bytes("gotunnel/1 server"), ours.exporter, first, bytes_view{second}.first(96)});
  BOOST_TEST(to_hex(bytes_view{second}.subspan(96)) == to_hex(answer));
}

BOOST_AUTO_TEST_CASE(proofs_serve_one_key_one_connection_one_role) {
  const hello_bytes first = make_client_hello(a_client(), ours);
  const hello_bytes second = make_server_hello(a_server(), first, ours);
  for (const psk_context& other : {other_key, other_exporter}) {
    BOOST_TEST(read_client_hello(first, other).error() == errc::wrong_secret);
    BOOST_TEST(read_server_hello(second, first, other).error() == errc::wrong_secret);
    // A server that relays to another one, or that does not know the key.
    const hello_bytes relayed = make_server_hello(a_server(), first, other);
    BOOST_TEST(read_server_hello(relayed, first, ours).error() == errc::wrong_secret);
  }

  // An answer to another hello of the same client.
  client_hello again = a_client();
  again.nonce = filled<20>(0xde);
  const hello_bytes other_first = make_client_hello(again, ours);
  BOOST_TEST(read_server_hello(second, other_first, ours).error() == errc::wrong_secret);

  // A hello reflected into the other role, with nothing in the fields that the other role reserves.
  server_hello plain;
  plain.nonce = filled<32>(0);
  BOOST_TEST(read_client_hello(make_server_hello(plain, first, ours), ours).error() == errc::wrong_secret);
  BOOST_TEST(read_server_hello(make_client_hello({}, ours), first, ours).error() == errc::wrong_secret);
}

BOOST_AUTO_TEST_CASE(no_bit_of_the_client_hello_can_change) {
  for_each_bit_flipped(make_client_hello(a_client(), ours), [](const hello_bytes& hello, std::size_t at) {
    const auto expected = at < 4    ? errc::broken_frame
                          : at == 4 ? errc::refused
                          : at < 8  ? errc::broken_frame
                                    : errc::wrong_secret;
    BOOST_TEST(read_client_hello(hello, ours).error() == expected);
  });
}

BOOST_AUTO_TEST_CASE(no_bit_of_the_server_hello_can_change) {
  const hello_bytes first = make_client_hello(a_client(), ours);
  for_each_bit_flipped(make_server_hello(a_server(), first, ours),
                       [&](const hello_bytes& hello, std::size_t at) {
                         const auto read = read_server_hello(hello, first, ours);
                         BOOST_TEST(read.has_error());
                         const bool reserved = at < 4 || at == 6 || at == 7 || (at >= 76 && at < 96);
                         if (reserved) BOOST_TEST(read.error() == errc::broken_frame);
                         if (at == 4) BOOST_TEST(read.error() == errc::refused);
                         if ((at >= 8 && at < 76) || at >= 96) BOOST_TEST(read.error() == errc::wrong_secret);
                       });
}

BOOST_AUTO_TEST_CASE(the_client_hello_is_part_of_the_answer) {
  const hello_bytes first = make_client_hello(a_client(), ours);
  const hello_bytes second = make_server_hello(a_server(), first, ours);
  for_each_bit_flipped(first, [&](const hello_bytes& hello, std::size_t) {
    BOOST_TEST(read_server_hello(second, hello, ours).error() == errc::wrong_secret);
  });
}

BOOST_AUTO_TEST_CASE(refusals_carry_no_proof) {
  const hello_bytes first = make_client_hello(a_client(), other_key);
  const std::pair<hello_status, errc> table[] = {{hello_status::wrong_secret, errc::wrong_secret},
                                                 {hello_status::other_version, errc::refused}};
  for (const auto& [status, expected] : table) {
    const hello_bytes second = make_server_hello(a_server(status), first, ours);
    BOOST_TEST(to_hex(bytes_view{second}.subspan(96)) == times(32, "00"));
    BOOST_TEST(read_server_hello(second, first, other_key).error() == expected);
  }
  hello_bytes unknown_status = make_server_hello(a_server(), first, ours);
  unknown_status[5] = std::byte{4};
  BOOST_TEST(read_server_hello(unknown_status, first, ours).error() == errc::broken_frame);
}

BOOST_AUTO_TEST_CASE(a_seed_secret_line_is_no_hello) {
  hello_bytes line{};
  line.fill(std::byte{'x'});
  BOOST_TEST(read_client_hello(line, ours).error() == errc::broken_frame);
  BOOST_TEST(read_client_hello({}, ours).error() == errc::broken_frame);
  BOOST_TEST(read_server_hello({}, line, ours).error() == errc::broken_frame);
}

// The vectors of docs/wire.md, made by another implementation.
BOOST_AUTO_TEST_CASE(proofs_are_those_of_the_specification) {
  psk_context context;
  context.key = crypto::stretch(secret_text("correct horse battery staple"), stretch_salt);
  for (std::size_t i = 0; i < context.exporter.size(); ++i) context.exporter[i] = static_cast<std::byte>(i);
  BOOST_TEST(to_hex(context.key.view()) ==
             "7a75c37944ea31c50947b6b992cb4bec99a320e1928e749583850cafd53db831");

  client_hello client;
  client.capabilities = 3;
  client.client = filled<16>(0x11);
  client.instance = filled<16>(0x22);
  client.nonce = filled<20>(0x33);
  client.window = 60'000;
  const hello_bytes first = make_client_hello(client, context);
  BOOST_TEST(to_hex(bytes_view{first}.subspan(96)) ==
             "c1af9e07cd47312d6a4b5dfc13331eb808c221ae155e2dd4fb3b1bd465f30567");

  server_hello server;
  server.capabilities = 3;
  server.session = filled<16>(0x44);
  server.nonce = filled<32>(0x55);
  server.window = 60'000;
  const hello_bytes second = make_server_hello(server, first, context);
  BOOST_TEST(to_hex(bytes_view{second}.subspan(96)) ==
             "d921f15e5cec9aa16be19e8df84c7d21804b9f3cd112f9ca10d10300c6c2c6a6");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
