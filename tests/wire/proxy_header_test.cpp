#include "gotunnel/wire/proxy_header.hpp"

#include "support/print_error.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

constexpr std::string_view signature = "0d0a0d0a000d0a515549540a";

std::vector<std::byte> bytes_of(const std::string& hex) {
  std::vector<std::byte> bytes(hex.size() / 2);
  BOOST_REQUIRE(from_hex(hex, bytes));
  return bytes;
}
std::vector<std::byte> header_of(std::string_view rest) {
  return bytes_of(std::string{signature} + std::string{rest});
}

ip_endpoint v4(std::uint32_t address, std::uint16_t port) {
  ip_endpoint endpoint;
  endpoint.port = port;
  store_be32(endpoint.ip, address);
  return endpoint;
}
ip_endpoint v6(const std::string& hex, std::uint16_t port) {
  ip_endpoint endpoint;
  endpoint.v6 = true;
  endpoint.port = port;
  BOOST_REQUIRE(from_hex(hex, endpoint.ip));
  return endpoint;
}

const ip_endpoint visitor4 = v4(0xc0000201, 0x1234);
const ip_endpoint public4 = v4(0xc6336402, 0x01bb);
const ip_endpoint visitor6 = v6("20010db8000000000000000000000001", 0x1234);
const ip_endpoint public6 = v6("20010db8000000000000000000000002", 0x01bb);
const std::string visitor4_mapped = "00000000000000000000ffffc0000201";
const std::string public6_hex = "20010db8000000000000000000000002";

std::string encoded(const proxy_header& header) {
  std::vector<std::byte> bytes;
  encode(header, bytes);
  return to_hex(bytes);
}

/// The header is read at its last byte and not before, and takes none of what follows.
void expect(const std::vector<std::byte>& bytes, const proxy_header& wanted) {
  BOOST_TEST_CONTEXT(to_hex(bytes)) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto early = read_proxy_header(bytes_view{bytes}.first(size));
      BOOST_REQUIRE(early.has_value());
      BOOST_REQUIRE(!early->has_value());
    }
    for (const std::size_t more : {0u, 1u, 5000u}) {
      auto followed = bytes;
      followed.resize(bytes.size() + more, std::byte{0xe0});
      const auto read = read_proxy_header(followed);
      BOOST_TEST_REQUIRE(read.has_value());
      BOOST_TEST_REQUIRE(read->has_value());
      BOOST_TEST((*read)->size == bytes.size());
      BOOST_TEST(((*read)->header == wanted));
    }
  }
}

void expect_error(const std::vector<std::byte>& bytes, errc wanted) {
  BOOST_TEST_CONTEXT(to_hex(bytes)) { BOOST_TEST(read_proxy_header(bytes).error() == wanted); }
}

} // namespace

BOOST_AUTO_TEST_SUITE(wire_proxy_header)

BOOST_AUTO_TEST_CASE(known_vectors) {
  struct row {
    proxy_header header;
    std::string rest;
  };
  const row table[] = {
      {{{{visitor4, public4}}, {}}, "2111000cc0000201c6336402123401bb"},
      {{{{visitor4, public4}}, 0x0102030405060708},
       "21110017c0000201c6336402123401bb"
       "e000080102030405060708"},
      {{{{visitor6, public6}}, {}},
       "21210024"
       "20010db8000000000000000000000001"
       "20010db8000000000000000000000002"
       "123401bb"},
      {{{{visitor6, public6}}, 1},
       "2121002f"
       "20010db8000000000000000000000001"
       "20010db8000000000000000000000002"
       "123401bb"
       "e000080000000000000001"},
      {{{{visitor4, public6}}, {}}, "21210024" + visitor4_mapped + public6_hex + "123401bb"},
      {{{{public6, visitor4}}, {}}, "21210024" + public6_hex + visitor4_mapped + "01bb1234"},
      {{{}, 2}, "2100000be000080000000000000002"},
      {{}, "21000000"},
  };
  for (const auto& [header, rest] : table) {
    BOOST_TEST(encoded(header) == std::string{signature} + rest);
    expect(header_of(rest), header);
  }
}

BOOST_AUTO_TEST_CASE(appends_to_what_is_there) {
  std::vector<std::byte> bytes{std::byte{'x'}};
  encode({}, bytes);
  BOOST_TEST(to_hex(bytes) == "78" + std::string{signature} + "21000000");
}

BOOST_AUTO_TEST_CASE(reads_what_others_write) {
  const std::string ipv4 = "c0000201c6336402123401bb";
  const proxy_header plain{{{visitor4, public4}}, {}};
  expect(header_of("2112000c" + ipv4), plain);                      // UDP
  expect(header_of("21110010" + ipv4 + "04000161"), plain);         // PP2_TYPE_NOOP
  expect(header_of("2111000f" + ipv4 + "040000"), plain);           // empty
  expect(header_of("21110014" + ipv4 + "e00005aabbccddee"), plain); // somebody else's 0xE0
  expect(header_of("2111001e" + ipv4 +
                   "0100026832"
                   "0100"
                   "00"
                   "0200"
                   "03"
                   "616263"
                   "200001"
                   "ff"),
         plain);
  expect(header_of("2111001b" + ipv4 +
                   "04000161"
                   "e000080000000000000005"),
         {plain.peer, 5});
  expect(header_of("21210024" + visitor4_mapped + visitor4_mapped + "12341234"),
         {{{visitor4, visitor4}}, {}}); // mapped becomes IPv4
  expect(header_of("213100d8" + std::string(432, '1')), {});
  expect(header_of("213200db" + std::string(432, '1') + "040000"), {});
  expect(header_of("20000000"), {});
  expect(header_of("2000000be000080000000000000002"), {}); // LOCAL: the whole block is discarded
  expect(header_of("2011000c" + ipv4), {});
  expect(header_of("20990003ffffff"), {});
}

BOOST_AUTO_TEST_CASE(refuses_at_the_first_wrong_byte) {
  const auto good = header_of("21110000");
  for (std::size_t at = 0; at < 12; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::vector<std::byte> wrong(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      wrong[at] ^= std::byte{1} << bit;
      expect_error(wrong, errc::broken_frame);
    }
  }
  for (const char* command : {"00", "01", "10", "11", "22", "2f", "31", "a1", "ff"})
    expect_error(header_of(command), errc::broken_frame);
  expect_error({std::byte{'P'}}, errc::broken_frame); // version 1
}

BOOST_AUTO_TEST_CASE(refuses_unknown_families) {
  for (unsigned family = 0; family < 256; ++family) {
    std::vector<std::byte> bytes = header_of("210000d8" + std::string(432, '0'));
    bytes[13] = static_cast<std::byte>(family);
    const unsigned valid[] = {0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32};
    const bool known = std::find(std::begin(valid), std::end(valid), family) != std::end(valid);
    BOOST_TEST(read_proxy_header(bytes).has_value() == known, "family " << family);
  }
}

BOOST_AUTO_TEST_CASE(refuses_lengths_that_do_not_fit) {
  expect_error(header_of("2111000b" + std::string(22, '0')), errc::broken_frame);
  expect_error(header_of("2111000b"), errc::broken_frame); // known before the rest is there
  expect_error(header_of("21210023"), errc::broken_frame);
  expect_error(header_of("213100d7"), errc::broken_frame);
  const std::string ipv4 = std::string(24, '0');
  expect_error(header_of("2111000d" + ipv4 + "04"), errc::broken_frame);
  expect_error(header_of("2111000e" + ipv4 + "0400"), errc::broken_frame);
  expect_error(header_of("2111000f" + ipv4 + "040001"), errc::broken_frame);
  expect_error(header_of("21110011" + ipv4 +
                         "040003"
                         "6161"),
               errc::broken_frame);
  expect_error(header_of("2111000f" + ipv4 + "04ffff"), errc::broken_frame);
}

BOOST_AUTO_TEST_CASE(has_a_limit) {
  // 16 + 1008 bytes: 12 of addresses, then one TLV of 993.
  expect(header_of("211103f0"
                   "c0000201c6336402123401bb"
                   "0403e1" +
                   std::string(2 * 993, '0')),
         {{{visitor4, public4}}, {}});
  expect_error(header_of("211103f1"), errc::limit_exceeded);
  expect_error(header_of("2111ffff"), errc::limit_exceeded);
  expect_error(header_of("2000ffff"), errc::limit_exceeded);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
