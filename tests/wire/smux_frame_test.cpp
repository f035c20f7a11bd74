#include "gotunnel/wire/smux_frame.hpp"

#include "support/smux_text.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

using testing::frame;
using testing::unhex;

result<smux_header> decode(std::string_view bytes, std::uint8_t version = 2, bool resets = false) {
  return decode_header(as_bytes(bytes).first<smux_header::size>(), version, resets);
}

BOOST_AUTO_TEST_SUITE(smux_frame_test)

// What xtaci/smux put on the wire between its own client and server.
BOOST_AUTO_TEST_CASE(frames_are_those_of_smux) {
  BOOST_TEST(frame(smux_command::syn, 3) == unhex("02 00 0000 03000000"));
  BOOST_TEST(frame(smux_command::psh, 3, "hello") == unhex("02 02 0500 03000000 68656c6c6f"));
  BOOST_TEST(testing::update(3, 5, 65536) == unhex("02 04 0800 03000000 05000000 00000100"));
  BOOST_TEST(frame(smux_command::nop, 0) == unhex("02 03 0000 00000000"));
  BOOST_TEST(frame(smux_command::fin, 3) == unhex("02 01 0000 03000000"));
  BOOST_TEST(frame(smux_command::syn, 3, {}, 1) == unhex("01 00 0000 03000000"));
}

BOOST_AUTO_TEST_CASE(a_decoded_header_is_the_encoded_one) {
  const smux_header header{2, smux_command::psh, 0xfffe, 0xfedcba98};
  std::array<std::byte, smux_header::size> bytes;
  encode(header, bytes);
  BOOST_TEST((decode_header(bytes, 2, false).value() == header));

  const smux_update said{0xfedcba98, 0x01020304};
  std::array<std::byte, smux_update::size> payload;
  encode(said, payload);
  BOOST_TEST((decode_update(payload) == said));
}

BOOST_AUTO_TEST_CASE(what_a_command_cannot_be_is_broken) {
  for (const std::string_view broken : {
           "01 00 0000 03000000", // the other version
           "02 06 0000 03000000", // no such command
           "02 ff 0000 03000000",
           "02 00 0100 03000000", // SYN, FIN and NOP carry nothing
           "02 01 0100 03000000", "02 03 0100 00000000",
           "02 04 0700 03000000", // UPD carries eight bytes
           "02 04 0900 03000000",
           "02 05 0400 03000000", // RST where it was not agreed on
       })
    BOOST_TEST(decode(unhex(broken)).error() == make_error_code(errc::broken_frame), broken);
  BOOST_TEST(decode(unhex("01 04 0800 03000000"), 1).error() == make_error_code(errc::broken_frame));
  BOOST_TEST(decode(unhex("02 05 0500 03000000"), 2, true).error() == make_error_code(errc::broken_frame));
  BOOST_TEST(decode(unhex("02 05 0400 03000000"), 2, true).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
