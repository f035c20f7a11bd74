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

ip_endpoint v6(std::uint64_t network, std::uint64_t host) {
  ip_endpoint endpoint;
  endpoint.v6 = true;
  store_be64(endpoint.ip, network);
  store_be64(bytes_span{endpoint.ip}.subspan(8), host);
  return endpoint;
}

} // namespace

BOOST_AUTO_TEST_SUITE(wire_stranger_book)

BOOST_AUTO_TEST_CASE(penalties_double_up_to_the_limit) {
  stranger_book book;
  const duration table[] = {0ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5s, 5s, 5s};
  for (const duration expected : table) {
    BOOST_TEST((book.penalty(v4(7), start) == expected));
    book.failed(v4(7, 2), start); // the port is of no importance
  }
  BOOST_TEST((book.penalty(v4(8), start) == 0ms));
  BOOST_TEST(book.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_success_wipes_the_slate) {
  stranger_book book;
  book.failed(v4(7), start);
  book.failed(v4(8), start);
  book.succeeded(v4(7));
  book.succeeded(v4(9));
  BOOST_TEST((book.penalty(v4(7), start) == 0ms));
  BOOST_TEST((book.penalty(v4(8), start) == 100ms));
  BOOST_TEST(book.size() == 1u);
}

BOOST_AUTO_TEST_CASE(ipv6_sources_are_networks) {
  stranger_book book;
  book.failed(v6(0x20010db800000001, 1), start);
  BOOST_TEST((book.penalty(v6(0x20010db800000001, 0xffffffffffffffff), start) == 100ms));
  BOOST_TEST((book.penalty(v6(0x20010db800000002, 1), start) == 0ms));
}

BOOST_AUTO_TEST_CASE(families_do_not_meet) {
  stranger_book book;
  book.failed(v4(0), start);
  BOOST_TEST((book.penalty(v6(0, 0), start) == 0ms));
  book.failed(v6(0, 0xffff00000000), start);
  BOOST_TEST((book.penalty(v4(0), start) == 100ms));
  BOOST_TEST(book.size() == 2u);
}

BOOST_AUTO_TEST_CASE(forgets_ten_minutes_after_the_last_failure) {
  stranger_book book;
  book.failed(v4(7), start);
  book.failed(v4(7), start + 9min);
  BOOST_TEST((book.penalty(v4(7), start + 19min - 1ns) == 200ms));
  BOOST_TEST((book.penalty(v4(7), start + 19min) == 0ms));
  book.failed(v4(8), start + 19min);
  BOOST_TEST(book.size() == 1u);
  book.failed(v4(7), start + 19min);
  BOOST_TEST((book.penalty(v4(7), start + 19min) == 100ms));
}

BOOST_AUTO_TEST_CASE(the_source_that_failed_longest_ago_makes_room) {
  stranger_book book;
  const auto count = static_cast<std::uint32_t>(stranger_book::capacity);
  for (std::uint32_t i = 0; i < count; ++i) book.failed(v4(i), start + std::chrono::milliseconds{i});
  BOOST_TEST(book.size() == count);

  const time_point now = start + 1min;
  book.failed(v4(0), now); // the first of all is now the latest
  book.failed(v4(count), now);
  BOOST_TEST(book.size() == count);
  BOOST_TEST((book.penalty(v4(0), now) == 200ms));
  BOOST_TEST((book.penalty(v4(1), now) == 0ms));
  BOOST_TEST((book.penalty(v4(2), now) == 100ms));
  BOOST_TEST((book.penalty(v4(count), now) == 100ms));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
