#include "gotunnel/app/ready_line.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;
using namespace gotunnel::app;

namespace {

wire::bound_answer bound(const std::string& address) { return {1, 8080, address}; }

std::string said(const std::string& server, const std::string& address) {
  return ready_line(server, bound(address), "127.0.0.1:80");
}

} // namespace

BOOST_AUTO_TEST_SUITE(ready_line_test)

BOOST_AUTO_TEST_CASE(it_names_the_address_that_the_server_has_bound) {
  BOOST_TEST(said("tunnel.example", "127.0.0.1:8080") == "ready: 127.0.0.1:8080 -> 127.0.0.1:80");
  BOOST_TEST(said("tunnel.example", "[2001:db8::1]:8080") == "ready: [2001:db8::1]:8080 -> 127.0.0.1:80");
}

BOOST_AUTO_TEST_CASE(where_that_says_nothing_it_names_the_server) {
  for (const char* address : {"[::]:8080", "0.0.0.0:8080", "listening on 8080", ""})
    BOOST_TEST(said("tunnel.example", address) == "ready: tunnel.example:8080 -> 127.0.0.1:80");
}

BOOST_AUTO_TEST_CASE(a_port_that_only_the_server_itself_reaches_is_a_warning) {
  const std::string warning = ready_warning("203.0.113.5", bound("127.0.0.1:8080"));
  BOOST_TEST(warning.find("on 127.0.0.1 (its -bind)") != std::string::npos);
  BOOST_TEST(!ready_warning("tunnel.example", bound("[::1]:8080")).empty());
  for (const char* here : {"127.0.0.1", "localhost", "::1"})
    BOOST_TEST(ready_warning(here, bound("127.0.0.1:8080")).empty());
  for (const char* address : {"[::]:8080", "203.0.113.5:8080", ""})
    BOOST_TEST(ready_warning("203.0.113.5", bound(address)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
