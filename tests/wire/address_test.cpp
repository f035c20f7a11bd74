#include "gotunnel/wire/address.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

using target = std::variant<host_port, unix_path>;
using ports = std::vector<std::uint16_t>;

template <class T>
void expect(const parsed<T>& got, const T& wanted, std::string_view text) {
  BOOST_TEST_CONTEXT(text) {
    const T* const value = std::get_if<T>(&got);
    BOOST_TEST_REQUIRE(value != nullptr);
    BOOST_TEST((*value == wanted));
  }
}

template <class T>
void expect_reason(const parsed<T>& got, std::string_view part, std::string_view text) {
  BOOST_TEST_CONTEXT(text) {
    const auto* const why = std::get_if<std::string>(&got);
    BOOST_TEST_REQUIRE(why != nullptr);
    BOOST_TEST(why->find(part) != std::string::npos, "the reason was: " << *why);
  }
}

struct good {
  std::string_view text;
  host_port address;
};
struct bad {
  std::string_view text, part;
};

const std::string longest_host(253, 'h');

} // namespace

BOOST_AUTO_TEST_SUITE(wire_address)

BOOST_AUTO_TEST_CASE(peers) {
  const good table[] = {
      {"example.org:80", {"example.org", 80}},
      {"localhost:1", {"localhost", 1}},
      {"a_b-c.example.:65535", {"a_b-c.example.", 65535}},
      {"1.2.3.4:443", {"1.2.3.4", 443}},
      {"[::1]:8080", {"::1", 8080}},
      {"[fe80::1%eth0]:22", {"fe80::1%eth0", 22}},
      {"[::ffff:1.2.3.4]:5", {"::ffff:1.2.3.4", 5}},
      {"4chan:0080", {"4chan", 80}},
  };
  for (const auto& [text, address] : table) {
    expect(parse_peer(text), address, text);
    expect(parse_listen(text), address, text);
    expect(parse_target(text), target{address}, text);
    expect(parse_peer(to_string(address)), address, "as written by us");
  }
  expect(parse_peer(longest_host + ":1"), host_port{longest_host, 1}, "longest");
}

BOOST_AUTO_TEST_CASE(listeners) {
  const good table[] = {{"8080", {"", 8080}},  {"0", {"", 0}},        {":8080", {"", 8080}},
                        {":0", {"", 0}},       {"[::]:0", {"::", 0}}, {"0.0.0.0:80", {"0.0.0.0", 80}},
                        {"65535", {"", 65535}}};
  for (const auto& [text, address] : table) {
    expect(parse_listen(text), address, text);
    expect(parse_listen(to_string(address)), address, "as written by us");
  }
  BOOST_TEST(to_string(host_port{"::", 80}) == "[::]:80");
  BOOST_TEST(to_string(host_port{"", 80}) == ":80");
}

BOOST_AUTO_TEST_CASE(neither_peers_nor_listeners) {
  using namespace std::string_view_literals;
  const std::string too_long = longest_host + "h:1";
  const bad table[] = {
      {"", "port is missing"},
      {"host", "port is missing"},
      {"host:", "port is missing"},
      {"[::1]", "port is missing"},
      {"[::1]80", "port is missing"},
      {"[::1]:", "port is missing"},
      {"[::1:80", "bracket"},
      {"::1:80", "brackets"},
      {"h:65536", "not a number from 0 to 65535"},
      {"h:99999999999999999999", "not a number"},
      {"h:-1", "not a number"},
      {"h:+1", "not a number"},
      {"h: 1", "not a number"},
      {"h:1 ", "not a number"},
      {"h:0x1", "not a number"},
      {"h:http", "not a number"},
      {"a b:1", "character"},
      {"bücher.example:1", "ASCII form (xn--...)"},
      {"a/b:1", "character"},
      {"user@host:1", "character"},
      {"h\0st:1"sv, "character"},
      {"b\xc3\xbc"
       "cher.example:1",
       "character"},
      {"http://h:1", "brackets"},
      {".h:1", "empty label"},
      {"h..h:1", "empty label"},
      {"1.2.3.256:1", "IPv4"},
      {"10.1:1", "IPv4"},
      {"2130706433:1", "IPv4"},
      {"[]:1", "not an IPv6"},
      {"[1.2.3.4]:1", "not an IPv6"},
      {"[::1::]:1", "not an IPv6"},
      {"[[::1]:1", "not an IPv6"},
      {"[::1\0]:1"sv, "not an IPv6"},
      {"[fe80::1%]:1", "not an IPv6"},
      {"[fe80::1%sixteen-letters.]:1", "not an IPv6"},
      {"[fe80::1%a/b]:1", "not an IPv6"},
      {too_long, "longer than 253"},
  };
  for (const auto& [text, part] : table) {
    expect_reason(parse_peer(text), part, text);
    expect_reason(parse_listen(text), part, text);
    expect_reason(parse_target(text), part, text);
  }
}

BOOST_AUTO_TEST_CASE(what_only_a_listener_may_be) {
  expect_reason(parse_peer("8080"), "port is missing", "8080");
  expect_reason(parse_peer(":8080"), "host is missing", ":8080");
  expect_reason(parse_peer("h:0"), "port 0", "h:0");
  expect_reason(parse_target("h:0"), "port 0", "h:0");
  expect_reason(parse_listen("65536"), "not a number", "65536");
}

BOOST_AUTO_TEST_CASE(unix_targets) {
  using namespace std::string_view_literals;
  for (const std::string& path : {std::string{"/run/app.sock"}, std::string{"relative.sock"},
                                  std::string{"80"}, std::string(107, 'p')}) {
    const target wanted = unix_path{path};
    expect(parse_target("unix:" + path), wanted, path);
    BOOST_TEST(to_string(wanted) == "unix:" + path);
  }
  expect_reason(parse_target("unix:"), "path is missing", "unix:");
  expect_reason(parse_target("unix:" + std::string(108, 'p')), "longer than 107", "108 bytes");
  expect_reason(parse_target("unix:a\0b"sv), "NUL", "NUL");
  expect_reason(parse_peer("unix:/run/app.sock"), "not a number", "a peer is no path");
}

BOOST_AUTO_TEST_CASE(port_sets) {
  struct row {
    std::string_view text, canonical;
  };
  const row table[] = {
      {"80", "80"},
      {"1024-65535,80,443", "80,443,1024-65535"},
      {"1-65535", "1-65535"},
      {"5,4,3", "3-5"},
      {"10-20,15-30,31", "10-31"},
      {"10-20,12-13", "10-20"},
      {"80,80", "80"},
      {"7-7", "7"},
      {"65535,65534", "65534-65535"},
  };
  for (const auto& [text, canonical] : table) {
    const auto set = port_set::parse(text);
    BOOST_TEST_REQUIRE(std::holds_alternative<port_set>(set), text);
    BOOST_TEST(std::get<port_set>(set).to_string() == canonical);
  }

  const auto set = std::get<port_set>(port_set::parse("1024-65535,80,443"));
  for (const std::uint16_t port : ports{80, 443, 1024, 30000, 65535}) BOOST_TEST(set.contains(port), port);
  for (const std::uint16_t port : ports{0, 79, 81, 1023}) BOOST_TEST(!set.contains(port), port);
  BOOST_TEST(!port_set{}.contains(80));
  BOOST_TEST(port_set{}.to_string().empty());
}

BOOST_AUTO_TEST_CASE(no_port_sets) {
  const bad table[] = {{"", "missing"},         {",", "missing"},          {"80,", "missing"},
                       {",80", "missing"},      {"-", "missing"},          {"80-", "missing"},
                       {"-80", "missing"},      {"0", "port 0"},           {"0-10", "port 0"},
                       {"20-10", "before"},     {"1-2-3", "not a number"}, {"80, 443", "not a number"},
                       {"all", "not a number"}, {"65536", "not a number"}};
  for (const auto& [text, part] : table) expect_reason(port_set::parse(text), part, text);
}

BOOST_AUTO_TEST_CASE(ports_below) {
  const auto below = [](const char* text) {
    return std::get<port_set>(port_set::parse(text)).any_below(1024);
  };
  BOOST_TEST(below("2000,1023"));
  BOOST_TEST(below("1-65535"));
  BOOST_TEST(!below("1024-65535"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wire
