#include "gotunnel/net/bbr_startup.hpp"

#include "support/loopback.hpp"

#include <boost/test/unit_test.hpp>

#include <string_view>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

using namespace gotunnel;
using net::bbr_startup;

namespace {

constexpr time_point start{1h};
constexpr bbr_startup::view full{
    .starting = true, .carried = 8'000'000, .round_trip = 200ms, .shortest = 100ms};

bool use_congestion_control(int socket, std::string_view name) {
  return ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                      static_cast<socklen_t>(name.size())) == 0;
}

/// One that has looked at `start`, and may look again a second later.
bbr_startup after_first_look() {
  bbr_startup startup;
  BOOST_TEST(startup.due(start));
  BOOST_TEST(!startup.advise(full, start));
  BOOST_TEST(!startup.due(start + 1s - 1ms));
  BOOST_TEST(startup.due(start + 1s));
  return startup;
}

/// Nothing, and that it is looked at again a second later.
void leaves_alone(const std::optional<bbr_startup::view>& seen) {
  bbr_startup startup = after_first_look();
  BOOST_TEST(!startup.advise(seen, start + 1s));
  BOOST_TEST(!startup.slowed());
  BOOST_TEST(!startup.due(start + 2s - 1ms));
  BOOST_TEST(startup.due(start + 2s));
}

} // namespace

BOOST_AUTO_TEST_SUITE(bbr_startup_test)

BOOST_AUTO_TEST_CASE(a_full_line_is_slowed_below_its_rate_for_ten_round_trips) {
  bbr_startup startup = after_first_look();
  BOOST_TEST(startup.advise(full, start + 1s).value() == 7'000'000U);
  BOOST_TEST(startup.slowed());
  BOOST_TEST(!startup.due(start + 2s - 1ms));
  BOOST_TEST(startup.due(start + 2s));
  BOOST_TEST(startup.advise(full, start + 2s).value() == bbr_startup::unlimited);
  BOOST_TEST(!startup.slowed());
}

BOOST_AUTO_TEST_CASE(it_is_set_free_even_when_nothing_is_known_any_more) {
  bbr_startup startup = after_first_look();
  BOOST_TEST(startup.advise(full, start + 1s).has_value());
  BOOST_TEST(startup.advise(std::nullopt, start + 2s).value() == bbr_startup::unlimited);
}

BOOST_AUTO_TEST_CASE(each_attempt_is_after_a_longer_pause) {
  bbr_startup startup = after_first_look();
  time_point now = start;
  for (const duration pause : {1s, 2s, 4s, 8s, 16s, 32s, 64s, 64s}) {
    BOOST_TEST(!startup.due(now + pause - 1ms));
    now += pause;
    BOOST_TEST(startup.due(now));
    BOOST_TEST(startup.advise(full, now).has_value());
    now += 1s;
    BOOST_TEST(startup.advise(full, now).value() == bbr_startup::unlimited);
  }
}

BOOST_AUTO_TEST_CASE(short_and_endless_round_trips_have_bounds) {
  const auto slow_for = [](duration shortest) {
    bbr_startup startup = after_first_look();
    bbr_startup::view seen = full;
    seen.shortest = shortest;
    seen.round_trip = 2 * shortest;
    BOOST_TEST_REQUIRE(startup.advise(seen, start + 1s).has_value());
    duration length = 1ms;
    while (!startup.due(start + 1s + length)) length += 1ms;
    return length;
  };
  BOOST_TEST((slow_for(1ms) == 200ms));
  BOOST_TEST((slow_for(10s) == 3s));
}

BOOST_AUTO_TEST_CASE(who_does_no_harm_is_left_alone) {
  bbr_startup::view seen = full;
  seen.starting = false;
  leaves_alone(seen);
  seen = full;
  seen.round_trip = 120ms; // no queue stands
  leaves_alone(seen);
  seen = full;
  seen.carried = 10'000'000; // it still finds more
  leaves_alone(seen);
  leaves_alone(std::nullopt);
}

BOOST_AUTO_TEST_CASE(other_congestion_controls_are_not_known) {
  const gotunnel::testing::loopback_listener door;
  const auto connected = gotunnel::testing::loopback_socket::connect(door.port());
  const int socket = connected.descriptor();
  BOOST_TEST_REQUIRE(use_congestion_control(socket, "reno"));
  BOOST_TEST(!bbr_startup::look(socket).has_value());
  BOOST_TEST(!bbr_startup::look(-1).has_value());
}

BOOST_AUTO_TEST_CASE(bbr_begins_in_start_up) {
  const gotunnel::testing::loopback_listener door;
  auto near = gotunnel::testing::loopback_socket::connect(door.port());
  auto far = door.accept();
  const int socket = near.descriptor();
  if (!use_congestion_control(socket, "bbr")) {
    BOOST_TEST_MESSAGE("this kernel has no BBR");
    return;
  }
  near.write("a word");
  far.write(far.read(6));
  BOOST_TEST(near.read(6) == "a word"); // and with it came the first ACK
  const auto seen = bbr_startup::look(socket);
  BOOST_TEST_REQUIRE(seen.has_value());
  BOOST_TEST(seen->starting);
}

BOOST_AUTO_TEST_SUITE_END()
