#include "gotunnel/wire/stranger_book.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

const time_point start = time_point{} + 1000h;

ip_endpoint v4(std::uint32_t address, std::uint16_t port = 1) {
  ip_endpoint endpoint;
  endpoint.port = port;
  store_be32(endpoint.ip, address);
  return endpoint;
}

ip_endpoint v6(std::uint64_t network, std::uint64_t host = 1) {
  ip_endpoint endpoint;
  endpoint.v6 = true;
  store_be64(endpoint.ip, network);
  store_be64(bytes_span{endpoint.ip}.subspan(8), host);
  return endpoint;
}

peer_id client(std::uint8_t name) {
  peer_id id{};
  id.fill(std::byte{name});
  return id;
}

struct fixture {
  stranger_book book;
  time_point now = start;

  /// What the next stranger of this source is told: milliseconds, or -1. It does not stay.
  long wait(const ip_endpoint& source, const std::optional<peer_id>& claimed = {}) {
    const auto turn = book.ask(source, claimed, now);
    if (!turn) return -1;
    book.left(*turn, now);
    return std::chrono::duration_cast<std::chrono::milliseconds>(turn->wait).count();
  }
  /// A wrong proof whose verdict is awaited; false when nobody looked at it.
  bool fail(const ip_endpoint& source, const std::optional<peer_id>& claimed = {}) {
    const auto turn = book.ask(source, claimed, now);
    if (turn) book.failed(*turn, now + turn->wait);
    return turn.has_value();
  }
  int fail_until_unheard(const ip_endpoint& source) {
    int heard = 0;
    while (fail(source)) ++heard;
    return heard;
  }
  void succeed(const ip_endpoint& source, std::uint8_t name) {
    const auto turn = book.ask(source, client(name), now);
    BOOST_REQUIRE(turn.has_value());
    book.succeeded(*turn, now);
  }
};

/// Of an address 3 at once and one a second; of a site 4; of all 6, and 10 a second.
struct small_fixture : fixture {
  small_fixture() {
    book = stranger_book(
        {.address = {1s, 3}, .site = {1s, 4}, .all = {100ms, 6}, .patience = 3s, .capacity = 8, .known = 2});
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(wire_stranger_book)

BOOST_FIXTURE_TEST_CASE(after_a_burst_verdicts_come_at_a_steady_rate, small_fixture) {
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(wait(v4(7)) == 0);
    BOOST_TEST(fail(v4(7, static_cast<std::uint16_t>(i)))); // the port is of no importance
  }
  BOOST_TEST(wait(v4(8)) == 0);
  const long table[] = {1000, 2000, 3000};
  for (const long expected : table) {
    BOOST_TEST(wait(v4(7)) == expected);
    BOOST_TEST(fail(v4(7)));
  }
  BOOST_TEST(wait(v4(7)) == -1);
  now += 1500ms;
  BOOST_TEST(wait(v4(7)) == 2500);
  now += 10s;
  BOOST_TEST(wait(v4(7)) == 0);
}

BOOST_FIXTURE_TEST_CASE(a_right_proof_waits_like_a_wrong_one_and_costs_nothing, small_fixture) {
  for (std::uint8_t name = 1; name < 50; ++name) succeed(v4(7), name);
  BOOST_TEST(book.size() == 0U);
  while (wait(v4(7)) == 0) BOOST_TEST(fail(v4(7)));
  for (int i = 0; i < 5; ++i) {
    const auto turn = book.ask(v4(7), client(100), now);
    BOOST_REQUIRE(turn.has_value());
    BOOST_CHECK(turn->wait == 1s);
    book.left(*turn, now);
  }
}

BOOST_FIXTURE_TEST_CASE(one_that_fails_now_and_then_holds_up_nobody_behind_its_address, fixture) {
  for (int i = 0; i < 1000; ++i, now += 1s) {
    BOOST_TEST(fail(v4(7)));
    BOOST_TEST(wait(v4(7), client(1)) == 0);
  }
}

BOOST_FIXTURE_TEST_CASE(a_known_client_does_not_wait_for_strangers, small_fixture) {
  succeed(v4(7), 1);
  fail_until_unheard(v4(7));
  BOOST_TEST(wait(v4(7), client(2)) == -1);
  BOOST_TEST(wait(v4(7), client(1)) == 0);
  BOOST_TEST(wait(v4(9), client(1)) == 0);
  // Somebody else has its id.
  BOOST_TEST(fail(v4(7), client(1)));
  BOOST_TEST(wait(v4(7), client(1)) == -1);
}

BOOST_FIXTURE_TEST_CASE(a_wrong_proof_of_a_known_client_is_counted, small_fixture) {
  succeed(v4(7), 1);
  BOOST_TEST(fail(v4(7), client(1)));
  BOOST_TEST(fail(v4(7)));
  BOOST_TEST(fail(v4(7)));
  BOOST_TEST(wait(v4(7)) == 1000);
}

BOOST_FIXTURE_TEST_CASE(the_client_that_proved_longest_ago_makes_room, small_fixture) {
  constexpr std::uint8_t names[] = {1, 2, 1, 3};
  for (const std::uint8_t name : names) succeed(v4(7), name);
  fail_until_unheard(v4(7));
  BOOST_TEST(wait(v4(7), client(1)) == 0);
  BOOST_TEST(wait(v4(7), client(2)) == -1);
  BOOST_TEST(wait(v4(7), client(3)) == 0);
}

BOOST_FIXTURE_TEST_CASE(ipv6_sources_are_networks_and_sites, small_fixture) {
  for (int i = 0; i < 3; ++i) BOOST_TEST(fail(v6(0x20010db800000001, static_cast<std::uint64_t>(i))));
  BOOST_TEST(wait(v6(0x20010db800000001, 99)) == 1000);
  BOOST_TEST(wait(v6(0x20010db800000002)) == 0);
  BOOST_TEST(fail(v6(0x20010db800000002)));
  // Four of one /48.
  BOOST_TEST(wait(v6(0x20010db800000003)) == 1000);
  BOOST_TEST(wait(v6(0x20010db800010001)) == 0);
}

BOOST_FIXTURE_TEST_CASE(families_and_sizes_do_not_meet, fixture) {
  BOOST_TEST(fail(v4(0)));
  BOOST_TEST(fail(v6(0, 0)));
  BOOST_TEST(fail(v6(0, 0xffff00000000)));
  BOOST_TEST(book.size() == 3U); // 0.0.0.0, ::/64, ::/48
}

BOOST_FIXTURE_TEST_CASE(all_together_have_a_limit, small_fixture) {
  for (std::uint32_t i = 0; i < 6; ++i) BOOST_TEST(fail(v4(i)));
  BOOST_TEST(wait(v4(100)) == 100);
  now += 100ms;
  BOOST_TEST(wait(v4(100)) == 0);
}

BOOST_FIXTURE_TEST_CASE(changing_addresses_does_not_make_it_forget, fixture) {
  const ip_endpoint guesser = v6(0x20010db800000001);
  for (int i = 0; i < 20; ++i) BOOST_TEST(fail(guesser));
  const long before = wait(guesser);
  BOOST_TEST(before == 500);
  // A whole /32, a site at a time; twenty turns would come back in ten seconds.
  int heard = 0;
  for (std::uint64_t i = 0; i < 65'536; ++i, now += 1us)
    heard += fail(v6(0x20010db800000000 + (i << 16U) + 2)) ? 1 : 0;
  BOOST_TEST(heard < 500 + 300 + 10);
  BOOST_TEST(book.size() <= 2U * 810);
  now += 3500ms; // those who wait have had their turns
  BOOST_TEST(wait(v4(1)) == 0);
  BOOST_TEST(fail(guesser));
  for (int i = 0; i < 7; ++i) BOOST_TEST(fail(guesser));
  BOOST_TEST(wait(guesser) > 0); // of twenty tokens seven had come back
  now += 1min;
  BOOST_TEST(wait(guesser) == 0);
}

BOOST_FIXTURE_TEST_CASE(when_it_is_full_further_sources_are_not_heard, small_fixture) {
  book = stranger_book({.address = {1s, 3}, .all = {1us, 1000}, .capacity = 8});
  for (std::uint32_t i = 0; i < 7; ++i) BOOST_TEST(fail(v4(i)));
  BOOST_TEST(!fail(v4(100)));
  BOOST_TEST(book.size() == 7U);
  now += 1s; // all of them have paid for their failures
  BOOST_TEST(fail(v4(100)));
  BOOST_TEST(book.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
