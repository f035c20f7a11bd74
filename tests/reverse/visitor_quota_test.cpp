#include "gotunnel/reverse/visitor_quota.hpp"

#include <boost/test/unit_test.hpp>

#include <list>
#include <thread>

using namespace gotunnel;
using namespace gotunnel::reverse;

namespace {

wire::source_key address(int number) {
  wire::source_key key{};
  key[12] = static_cast<std::byte>(number >> 8);
  key[13] = static_cast<std::byte>(number);
  return key;
}

wire::peer_id client(int number) { return address(number); }

/// Visitors who come and stay.
struct house {
  explicit house(const visitor_limits& limits) : quota(limits) {}

  /// Why not, when there is no seat.
  std::optional<crowding> come(const visitor_crowd_ptr& to, int from, int descriptor = 10) {
    auto seat = quota.admit(to, address(from), descriptor);
    if (const auto* why = std::get_if<crowding>(&seat)) return *why;
    seats.push_back(std::get<visitor_seat>(std::move(seat)));
    return std::nullopt;
  }
  /// How many of so many come in, each from an address of its own or all from one.
  int crowd(const visitor_crowd_ptr& to, int count, bool one_address) {
    int in = 0;
    for (int i = 0; i < count; ++i) in += !come(to, one_address ? 1 : next_address++);
    return in;
  }

  visitor_quota quota;
  std::list<visitor_seat> seats;
  int next_address = 1000;
};

} // namespace

BOOST_AUTO_TEST_SUITE(visitor_quota_test)

BOOST_AUTO_TEST_CASE(one_address_alone_gets_two_thirds_and_the_next_still_something) {
  house of({900});
  const auto port = of.quota.crowd_of(client(1));
  BOOST_TEST(of.crowd(port, 1000, true) == 600);
  BOOST_CHECK(of.come(port, 1) == crowding::address);
  // The port is not full: another address may have twice of what is left, until the port has its part.
  BOOST_TEST(of.quota.has_room(*port));
  BOOST_CHECK(!of.come(port, 2));
}

BOOST_AUTO_TEST_CASE(a_port_leaves_room_for_the_other_ports_of_its_client) {
  house of({1000});
  const auto port = of.quota.crowd_of(client(1));
  const auto other = of.quota.crowd_of(client(1));
  BOOST_TEST(of.crowd(port, 2000, false) == 750);
  BOOST_CHECK(of.come(port, 5) == crowding::port);
  BOOST_TEST(!of.quota.has_room(*port));
  BOOST_TEST(of.quota.has_room(*other));
  BOOST_TEST(of.crowd(other, 2000, false) == 50); // then the client has four fifths
  BOOST_CHECK(of.come(other, 5) == crowding::client);
}

BOOST_AUTO_TEST_CASE(however_many_clients_are_crowded_the_next_is_served) {
  house of({1000});
  for (int i = 0; i < 4; ++i)
    for (int ports = 0; ports < 3; ++ports) of.crowd(of.quota.crowd_of(client(i)), 2000, false);
  BOOST_TEST(of.quota.count() > 950U);
  BOOST_TEST(of.quota.count() < 1000U);
  BOOST_CHECK(!of.come(of.quota.crowd_of(client(9)), 1));
}

BOOST_AUTO_TEST_CASE(seed_peers_have_no_name_and_are_clients_each) {
  house of({1000});
  const auto first = of.quota.crowd_of(std::nullopt);
  const auto second = of.quota.crowd_of(std::nullopt);
  BOOST_TEST(of.crowd(first, 2000, false) == 750);
  BOOST_TEST(of.crowd(second, 2000, false) > 100);
}

BOOST_AUTO_TEST_CASE(the_part_of_an_address_can_be_fixed) {
  house of({900, 5});
  const auto port = of.quota.crowd_of(client(1));
  BOOST_TEST(of.crowd(port, 10, true) == 5);
  // Of one address at one port: at another port it has as many again.
  const auto other = of.quota.crowd_of(client(1));
  BOOST_TEST(of.crowd(other, 10, true) == 5);
}

BOOST_AUTO_TEST_CASE(the_number_of_a_descriptor_tells_how_many_are_in_use) {
  house of({900, 0, 100});
  const auto port = of.quota.crowd_of(client(1));
  BOOST_CHECK(!of.come(port, 1, 99));
  BOOST_CHECK(of.come(port, 1, 100) == crowding::all);
}

BOOST_AUTO_TEST_CASE(who_leaves_makes_room_on_whatever_thread) {
  house of({1});
  const auto port = of.quota.crowd_of(client(1));
  BOOST_CHECK(!of.come(port, 1));
  BOOST_CHECK(of.come(port, 1) == crowding::all);
  std::thread([seats = std::move(of.seats)]() mutable { seats.clear(); }).join();
  of.seats.clear();
  BOOST_TEST(of.quota.count() == 0U);
  BOOST_CHECK(!of.come(port, 1));
}

BOOST_AUTO_TEST_CASE(a_visitor_of_a_former_process_is_counted_whatever_the_limits) {
  house of({1});
  const auto port = of.quota.crowd_of(client(1));
  const visitor_seat first = visitor_quota::readmit(port, address(1));
  const visitor_seat second = visitor_quota::readmit(port, address(1));
  BOOST_TEST(of.quota.count() == 2U);
  BOOST_CHECK(of.come(port, 2) == crowding::all);
}

BOOST_AUTO_TEST_CASE(addresses_that_have_gone_are_forgotten) {
  tally_book book;
  std::list<tally_ptr> held;
  for (int i = 0; i < 10'000; ++i) {
    auto each = book.of(address(i));
    if (i % 1000 == 0) held.push_back(std::move(each));
  }
  BOOST_TEST(book.size() < 100U);
  // Those that are held are still the same.
  BOOST_TEST(book.of(address(3000)) == *std::next(held.begin(), 3));
}

BOOST_AUTO_TEST_SUITE_END()
