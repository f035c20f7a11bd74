#include "gotunnel/wire/cidr.hpp"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>

namespace gotunnel::wire {
namespace {

ip_endpoint who(const char* address) {
  ip_endpoint endpoint;
  endpoint.v6 = std::string_view(address).find(':') != std::string_view::npos;
  BOOST_TEST_REQUIRE(inet_pton(endpoint.v6 ? AF_INET6 : AF_INET, address, endpoint.ip.data()) == 1);
  return endpoint;
}

cidr_set set(const char* text) {
  auto read = cidr_set::parse(text);
  BOOST_TEST_REQUIRE(std::holds_alternative<cidr_set>(read), text);
  return std::get<cidr_set>(read);
}

} // namespace

BOOST_AUTO_TEST_SUITE(wire_cidr)

BOOST_AUTO_TEST_CASE(who_is_permitted) {
  struct row {
    const char* networks;
    const char* address;
    bool permitted;
  };
  const row rows[] = {
      {"10.0.0.0/8", "10.255.0.1", true},
      {"10.0.0.0/8", "11.0.0.1", false},
      {"10.0.0.0/8", "a00::1", false}, // the same first byte, another family
      {"192.168.4.0/22", "192.168.7.255", true},
      {"192.168.4.0/22", "192.168.8.0", false},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"192.0.2.6/31", "192.0.2.7", true},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "127.0.0.1", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"::1", "::1", true},
      {"10.0.0.0/8,::1,192.0.2.0/24", "192.0.2.200", true},
      {"10.0.0.0/8,::1,192.0.2.0/24", "192.0.3.200", false},
      // An IPv4-mapped network means the IPv4 one.
      {"::ffff:10.0.0.0/104", "10.1.2.3", true},
      {"::ffff:10.0.0.0/104", "11.1.2.3", false},
      {"::ffff:192.0.2.7", "192.0.2.7", true},
      {"::ffff:0:0/96", "1.2.3.4", true},
  };
  for (const row& each : rows)
    BOOST_TEST(set(each.networks).permits(who(each.address)) == each.permitted,
               each.networks << " and " << each.address);
}

BOOST_AUTO_TEST_CASE(without_a_list_everybody_is) {
  const cidr_set everybody;
  BOOST_TEST(everybody.permits(who("1.2.3.4")));
  BOOST_TEST(everybody.permits(who("::1")));
  BOOST_TEST(everybody.to_string().empty());
}

BOOST_AUTO_TEST_CASE(it_is_written_as_it_is_read) {
  BOOST_TEST(set("10.0.0.0/8,::1").to_string() == "10.0.0.0/8,::1/128");
  BOOST_TEST(set("::ffff:10.0.0.0/104").to_string() == "10.0.0.0/8");
  BOOST_TEST(set("2001:DB8:0::/32").to_string() == "2001:db8::/32");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said) {
  struct row {
    std::string_view text;
    const char* why;
  };
  const row rows[] = {
      {"", "an empty item"},
      {"10.0.0.0/8,", "an empty item"},
      {",10.0.0.0/8", "an empty item"},
      {"10.0.0.0/8, ::1", "\" ::1\" is not an IP address"},
      {"example.org", "\"example.org\" is not an IP address"},
      {"10.0.0", "\"10.0.0\" is not an IP address"},
      {"[::1]", "\"[::1]\" is not an IP address"},
      {"fe80::1%eth0", "is not an IP address"},
      {"10.0.0.0/33", "from 0 to 32"},
      {"10.0.0.0/", "from 0 to 32"},
      {"10.0.0.0/+8", "from 0 to 32"},
      {"10.0.0.0/-1", "from 0 to 32"},
      {"10.0.0.0/8/8", "from 0 to 32"},
      {"::/129", "from 0 to 128"},
      {"10.0.0.7/8", "write 10.0.0.0/8 for the network, or 10.0.0.7 for the address"},
      {"2001:db8::1/64", "write 2001:db8::/64 for the network, or 2001:db8::1 for the address"},
      {std::string_view("10.0.0.1\0x", 10), "is not an IP address"},
  };
  for (const row& each : rows) {
    const auto read = cidr_set::parse(each.text);
    BOOST_TEST_REQUIRE(std::holds_alternative<std::string>(read), each.text);
    BOOST_TEST(std::get<std::string>(read).find(each.why) != std::string::npos, std::get<std::string>(read));
  }
}

BOOST_AUTO_TEST_CASE(a_list_has_a_limit) {
  std::string text = "::1";
  for (std::size_t i = 1; i < cidr_set::limit; ++i) text += ",::1";
  BOOST_TEST(std::holds_alternative<cidr_set>(cidr_set::parse(text)));
  BOOST_TEST(std::holds_alternative<std::string>(cidr_set::parse(text + ",::1")));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
