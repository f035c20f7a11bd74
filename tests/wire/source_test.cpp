#include "gotunnel/wire/source.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

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

BOOST_AUTO_TEST_SUITE(wire_source)

BOOST_AUTO_TEST_CASE(an_address_or_a_64_is_one_source) {
  BOOST_TEST((source_of(v4(7, 1)) == source_of(v4(7, 2))));
  BOOST_TEST((source_of(v4(7)) != source_of(v4(8))));
  BOOST_TEST((source_of(v6(7, 1)) == source_of(v6(7, 2))));
  BOOST_TEST((source_of(v6(7, 1)) != source_of(v6(8, 1))));
  // 0.0.0.0 and ::/64 are not one.
  BOOST_TEST((source_of(v4(0)) != source_of(v6(0, 0))));
}

BOOST_AUTO_TEST_CASE(a_48_is_one_site) {
  BOOST_TEST((site_of(v6(0x20010db800010000, 1)) == site_of(v6(0x20010db80001ffff, 2))));
  BOOST_TEST((site_of(v6(0x20010db800010000, 1)) != site_of(v6(0x20010db800020000, 1))));
  BOOST_TEST(!site_of(v4(7)).has_value());
  BOOST_TEST((*site_of(v6(0, 0)) != source_of(v6(0, 0))));
  BOOST_TEST((*site_of(v6(0, 0)) != source_of(v4(48))));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
