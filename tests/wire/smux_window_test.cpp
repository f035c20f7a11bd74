#include "gotunnel/wire/smux_window.hpp"

#include "support/smux_text.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

using testing::start;

constexpr std::uint32_t kib = 1024;

window_climate fair_weather(std::uint32_t max_window = 16 * 1024 * kib) {
  return {.round_trip = 10ms, .max_window = max_window, .growth_left = 1 << 30, .tight = false};
}

std::string text(const smux_update& said) { return fmt::format("{}/{}", said.consumed, said.window); }

/// Lets the peer fill what it may of `count` bytes, and drains them in two steps `apart`; whether an UPD
/// became due.
bool pass(receive_window& window, std::size_t count, time_point now, duration apart = 0ms) {
  BOOST_TEST(window.permits(count));
  window.receive(count);
  const bool first = window.consume(1, now);
  const bool second = window.consume(count - 1, now + apart);
  return first || second;
}

BOOST_AUTO_TEST_SUITE(smux_window_test)

BOOST_AUTO_TEST_CASE(an_update_is_due_when_half_is_drained_and_only_once) {
  receive_window window(2);
  window.receive(256 * kib);
  BOOST_TEST(!window.permits(1));
  BOOST_TEST(!window.consume(128 * kib - 1, start));
  BOOST_TEST(window.consume(1, start));
  BOOST_TEST(!window.consume(1, start));
  BOOST_TEST(text(window.announce({.max_window = 256 * kib})) == "131073/262144");
  BOOST_TEST(window.permits(128 * kib + 1));
  BOOST_TEST(!window.permits(128 * kib + 2));
  BOOST_TEST(window.buffered() == 128 * kib - 1);
}

BOOST_AUTO_TEST_CASE(it_doubles_while_drained_within_four_round_trips) {
  receive_window window(2);
  BOOST_TEST(pass(window, 128 * kib, start, 40ms));
  BOOST_TEST(text(window.announce(fair_weather())) == "131072/524288");
  BOOST_TEST(window.growth() == 256 * kib);
  BOOST_TEST(pass(window, 256 * kib, start, 41ms));
  BOOST_TEST(text(window.announce(fair_weather())) == "393216/524288");
  BOOST_TEST(pass(window, 256 * kib, start, 1ms));
  BOOST_TEST(window.announce(fair_weather(700 * kib)).window == 700 * kib);
}

BOOST_AUTO_TEST_CASE(it_grows_to_the_limit_and_no_further) {
  receive_window window(2);
  for (int i = 0; i < 12; ++i) {
    BOOST_TEST(pass(window, window.size() / 2, start));
    (void)window.announce(fair_weather(4096 * kib));
  }
  BOOST_TEST(window.size() == 4096 * kib);
}

BOOST_AUTO_TEST_CASE(a_round_trip_counts_as_a_millisecond_at_least) {
  receive_window window(2);
  auto climate = fair_weather();
  climate.round_trip = 30us;
  BOOST_TEST(pass(window, 128 * kib, start, 4ms));
  BOOST_TEST(window.announce(climate).window == 512 * kib);
}

BOOST_AUTO_TEST_CASE(it_grows_only_within_the_budget_of_the_session) {
  receive_window window(2);
  auto climate = fair_weather();
  climate.growth_left = 256 * kib - 1;
  BOOST_TEST(pass(window, 128 * kib, start));
  BOOST_TEST(window.announce(climate).window == 256 * kib);
  climate.growth_left = 256 * kib;
  BOOST_TEST(pass(window, 128 * kib, start));
  BOOST_TEST(window.announce(climate).window == 512 * kib);
}

BOOST_AUTO_TEST_CASE(a_shrunken_window_does_not_accuse_whoever_keeps_to_the_old_one) {
  receive_window window(2);
  BOOST_TEST(pass(window, 128 * kib, start));
  auto climate = fair_weather();
  climate.tight = true;
  BOOST_TEST(text(window.announce(climate)) == "131072/65536");
  // The peer may have sent 256 KiB before it heard.
  BOOST_TEST(window.permits(128 * kib));
  BOOST_TEST(!window.permits(128 * kib + 1));
  // Later UPDs catch up with the old grant and then move on.
  BOOST_TEST(pass(window, 96 * kib, start));
  BOOST_TEST(text(window.announce(climate)) == "229376/65536");
  BOOST_TEST(window.permits(64 * kib));
  BOOST_TEST(!window.permits(64 * kib + 1));
}

BOOST_AUTO_TEST_CASE(the_count_of_drained_bytes_wraps_on_the_wire) {
  receive_window window(2);
  const std::uint64_t total = (std::uint64_t{1} << 32) + 128 * kib;
  std::uint32_t last = 0;
  for (std::uint64_t drained = 0; drained < total; drained += 128 * kib) {
    BOOST_REQUIRE(window.permits(128 * kib));
    window.receive(128 * kib);
    BOOST_REQUIRE(window.consume(128 * kib, start));
    last = window.announce(fair_weather(256 * kib)).consumed;
  }
  BOOST_TEST(last == 128 * kib);
}

BOOST_AUTO_TEST_CASE(version_one_has_no_windows) {
  receive_window window(1);
  BOOST_TEST(window.permits(std::size_t{1} << 40));
  window.receive(1 << 30);
  BOOST_TEST(!window.consume(1 << 30, start));
  send_credit credit(1);
  credit.spend(1 << 30);
  BOOST_TEST(credit.available() > std::uint64_t{1} << 60);
}

BOOST_AUTO_TEST_CASE(credit_follows_the_peer_below_zero_and_back) {
  send_credit credit(2);
  BOOST_TEST(credit.available() == 256 * kib);
  credit.spend(200 * kib);
  BOOST_TEST(credit.available() == 56 * kib);
  BOOST_TEST(credit.update({.consumed = 5, .window = 64 * kib}).has_value());
  BOOST_TEST(credit.available() == 0u);
  BOOST_TEST(credit.update({.consumed = 136 * kib, .window = 64 * kib}).has_value());
  BOOST_TEST(credit.available() == 0u);
  BOOST_TEST(credit.update({.consumed = 137 * kib, .window = 64 * kib}).has_value());
  BOOST_TEST(credit.available() == 1 * kib);
}

BOOST_AUTO_TEST_CASE(a_peer_that_has_read_more_than_was_sent_is_broken) {
  send_credit credit(2);
  credit.spend(10);
  BOOST_TEST(credit.update({.consumed = 10, .window = 64 * kib}).has_value());
  BOOST_TEST(credit.update({.consumed = 11, .window = 64 * kib}).error() ==
             make_error_code(errc::flow_control));
}

BOOST_AUTO_TEST_CASE(an_update_older_than_the_last_says_nothing) {
  send_credit credit(2);
  credit.spend(100 * kib);
  BOOST_TEST(credit.update({.consumed = 90 * kib, .window = 64 * kib}).has_value());
  BOOST_TEST(credit.update({.consumed = 40 * kib, .window = 64 * kib}).has_value());
  BOOST_TEST(credit.available() == 54 * kib);
}

BOOST_AUTO_TEST_CASE(credit_survives_the_wrap_and_an_absurd_window) {
  send_credit credit(2);
  std::uint64_t sent = 0;
  for (int i = 0; i < 40; ++i) {
    credit.spend(128 * 1024 * kib);
    sent += 128 * 1024 * kib;
    BOOST_TEST(
        credit.update({.consumed = static_cast<std::uint32_t>(sent), .window = 0xffffffff}).has_value());
    BOOST_TEST(credit.available() == largest_window);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
