#include "gotunnel/net/send_buffer.hpp"

#include "support/loopback.hpp"

#include <boost/test/unit_test.hpp>

#include <array>

#include <sys/socket.h>

using namespace gotunnel::testing;
using gotunnel::net::carrier_unsent_bytes;
using gotunnel::net::send_buffer;

namespace {

constexpr std::size_t mib = 1024 * 1024;

} // namespace

BOOST_AUTO_TEST_SUITE(send_buffer_test)

BOOST_AUTO_TEST_CASE(a_line_fills_it_from_two_thirds_on) {
  BOOST_TEST((!send_buffer{.size = 6 * mib, .taken = 4 * mib}.filled_by_line()));
  BOOST_TEST((send_buffer{.size = 6 * mib, .taken = 4 * mib + 1}.filled_by_line()));
  BOOST_TEST((send_buffer{.size = 6 * mib, .taken = 7 * mib}.filled_by_line()));
}

BOOST_AUTO_TEST_CASE(a_small_buffer_is_not_filled_by_a_line) {
  BOOST_TEST((!send_buffer{.size = mib, .taken = mib}.filled_by_line()));
  BOOST_TEST(!send_buffer{}.filled_by_line());
}

BOOST_AUTO_TEST_CASE(it_takes_more_while_it_has_room_and_few_bytes_wait) {
  BOOST_TEST((send_buffer{.size = 4 * mib, .taken = 4 * mib - send_buffer::room}.takes_more()));
  BOOST_TEST((!send_buffer{.size = 4 * mib, .taken = 4 * mib - send_buffer::room + 1}.takes_more()));
  BOOST_TEST((!send_buffer{.size = 4 * mib, .taken = 5 * mib}.takes_more()));
  BOOST_TEST(
      (send_buffer{.size = 4 * mib, .taken = 3 * mib, .unsent = carrier_unsent_bytes / 2 - 1}.takes_more()));
  BOOST_TEST(
      (!send_buffer{.size = 4 * mib, .taken = 3 * mib, .unsent = carrier_unsent_bytes / 2}.takes_more()));
}

BOOST_AUTO_TEST_CASE(what_a_peer_does_not_read_is_seen_to_wait) {
  const loopback_listener door;
  const auto near = loopback_socket::connect(door.port());
  const auto far = door.accept();
  const send_buffer before = send_buffer::of(near.descriptor());
  BOOST_TEST(before.size > 0U);
  BOOST_TEST(before.taken == 0U);
  std::array<std::byte, 65536> some{};
  while (::send(near.descriptor(), some.data(), some.size(), MSG_DONTWAIT) > 0) {
  }
  const send_buffer after = send_buffer::of(near.descriptor());
  BOOST_TEST(after.taken > after.size / 2);
  if (after.filled_by_line()) {
    BOOST_TEST(after.unsent > 0U);
    BOOST_TEST(!after.takes_more());
  }
}

BOOST_AUTO_TEST_CASE(what_stands_in_queues_is_enough) {
  send_buffer buffer{.size = 4 * mib, .taken = 3 * mib};
  BOOST_TEST(buffer.takes_more());
  buffer.queues = true;
  BOOST_TEST(!buffer.takes_more());
  using namespace std::chrono_literals;
  BOOST_TEST(!gotunnel::net::queues_stand(125ms, 100ms));
  BOOST_TEST(gotunnel::net::queues_stand(126ms, 100ms));
}

BOOST_AUTO_TEST_CASE(the_pause_is_what_the_line_takes_for_what_may_wait) {
  using namespace std::chrono_literals;
  BOOST_TEST((send_buffer{.rate = 65'536'000}.pause() == 1ms));
  BOOST_TEST((send_buffer{.rate = 10'000'000'000}.pause() == 100us));
  BOOST_TEST((send_buffer{.rate = ~std::uint64_t{0}}.pause() == 100us));
  BOOST_TEST((send_buffer{.rate = 1000}.pause() == 10ms));
  BOOST_TEST((send_buffer{}.pause() == 10ms));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_asked_holds_nothing) {
  BOOST_TEST(!send_buffer::of(-1).filled_by_line());
}

BOOST_AUTO_TEST_SUITE_END()
