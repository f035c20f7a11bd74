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
  const std::uint64_t before = window.drained();
  const bool first = window.consume(1, before + 1, now);
  const bool second = window.consume(count - 1, before + count, now + apart);
  return first || second;
}

BOOST_AUTO_TEST_SUITE(smux_window_test)

BOOST_AUTO_TEST_CASE(an_update_is_due_when_half_is_drained_and_only_once) {
  receive_window window(2);
  window.receive(256 * kib);
  BOOST_TEST(!window.permits(1));
  BOOST_TEST(!window.consume(128 * kib - 1, 128 * kib - 1, start));
  BOOST_TEST(window.consume(1, 128 * kib, start));
  BOOST_TEST(!window.consume(1, 128 * kib + 1, start));
  BOOST_TEST(text(window.announce({.max_window = 256 * kib})) == "131073/262144");
  BOOST_TEST(window.permits(128 * kib + 1));
  BOOST_TEST(!window.permits(128 * kib + 2));
  BOOST_TEST(window.buffered() == 128 * kib - 1);
}

BOOST_AUTO_TEST_CASE(it_is_what_is_drained_in_two_round_trips_and_in_eight_on_a_long_line) {
  receive_window window(2);
  auto climate = fair_weather();
  climate.round_trip = 1ms;
  // 128 KiB in 200 us are 1280 KiB in two round trips; it no more than doubles at a time.
  BOOST_TEST(pass(window, 128 * kib, start, 200us));
  BOOST_TEST(text(window.announce(climate)) == "131072/524288");
  BOOST_TEST(window.growth() == 256 * kib);
  BOOST_TEST(pass(window, 256 * kib, start, 400us));
  BOOST_TEST(text(window.announce(climate)) == "393216/1048576");
  BOOST_TEST(pass(window, 512 * kib, start, 800us));
  BOOST_TEST(window.announce(climate).window == 1280 * kib);
  BOOST_TEST(pass(window, 640 * kib, start, 1ms));
  BOOST_TEST(window.announce(climate).window == 1280 * kib);
  climate.round_trip = 2ms;
  // 640 KiB in 4 ms are 2560 KiB in 16.
  BOOST_TEST(pass(window, 640 * kib, start, 4ms));
  BOOST_TEST(window.announce(climate).window == 2560 * kib);
  BOOST_TEST(pass(window, 1280 * kib, start, 5ms));
  BOOST_TEST(window.announce(fair_weather(2700 * kib)).window == 2700 * kib);
}

BOOST_AUTO_TEST_CASE(it_shrinks_by_half_at_a_time_to_what_is_needed) {
  receive_window window(2);
  auto climate = fair_weather();
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(pass(window, window.size() / 2, start));
    (void)window.announce(climate);
  }
  BOOST_TEST(window.size() == 2048 * kib);
  // Ten seconds for what others are quick with: next to nothing, but for the share of a lonely stream.
  BOOST_TEST(pass(window, 1024 * kib, start, 10s));
  BOOST_TEST(window.announce(climate).window == 1024 * kib);
  BOOST_TEST(pass(window, 512 * kib, start, 10s));
  BOOST_TEST(window.announce(climate).window == least_flight);
  BOOST_TEST(pass(window, 384 * kib, start, 10s));
  BOOST_TEST(window.announce(climate).window == least_flight);
}

BOOST_AUTO_TEST_CASE(streams_share_the_least_flight_by_what_they_drain) {
  receive_window window(2);
  auto climate = fair_weather();
  climate.round_trip = 50us;
  std::uint64_t session = 1000; // before its time
  const auto drain = [&](std::size_t count, std::size_t others) {
    window.receive(count);
    BOOST_TEST(!window.consume(1, session + 1, start));
    session += count + others;
    BOOST_TEST(window.consume(count - 1, session, start + 10ms));
    return window.announce(climate).window;
  };
  // A quarter of the session's bytes, a quarter of 768 KiB; then a hundredth, which is less than anyone
  // needs.
  BOOST_TEST(drain(128 * kib, 3 * 128 * kib) == 192 * kib);
  BOOST_TEST(drain(96 * kib, 99 * 96 * kib) == 96 * kib);
  BOOST_TEST(drain(48 * kib, 99 * 48 * kib) == smallest_window);
  // Alone again.
  BOOST_TEST(drain(32 * kib, 0) == 128 * kib);
}

BOOST_AUTO_TEST_CASE(it_grows_to_the_limit_and_no_further) {
  receive_window window(2);
  for (int i = 0; i < 12; ++i) {
    BOOST_TEST(pass(window, window.size() / 2, start));
    (void)window.announce(fair_weather(4096 * kib));
  }
  BOOST_TEST(window.size() == 4096 * kib);
}

BOOST_AUTO_TEST_CASE(a_round_trip_counts_as_200_microseconds_at_least) {
  receive_window window(2);
  auto climate = fair_weather();
  climate.round_trip = 30us;
  // 128 KiB in 25 us are 1 MiB in 200 us.
  for (const std::uint32_t expected : {512 * kib, 1024 * kib, 2048 * kib, 2048 * kib}) {
    BOOST_TEST(pass(window, window.size() / 2, start, 25us * (window.size() / (256 * kib))));
    BOOST_TEST(window.announce(climate).window == expected);
  }
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
    BOOST_REQUIRE(window.consume(128 * kib, drained + 128 * kib, start));
    last = window.announce(fair_weather(256 * kib)).consumed;
  }
  BOOST_TEST(last == 128 * kib);
}

BOOST_AUTO_TEST_CASE(version_one_has_no_windows) {
  receive_window window(1);
  BOOST_TEST(window.permits(std::size_t{1} << 40));
  window.receive(1 << 30);
  BOOST_TEST(!window.consume(1 << 30, 1 << 30, start));
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
