// Names that are slow to look up, that nobody answers for, or that move: in a network of the test's own.
#include "e2e/own_names.hpp"
#include "e2e/relay.hpp"
#include "e2e/tunnel.hpp"
#include "support/elapsed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <future>
#include <optional>
#include <system_error>
#include <thread>

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
namespace utf = boost::unit_test;

namespace {

std::string at(const std::string& host, std::uint16_t port) { return host + ":" + std::to_string(port); }

/// That many visitors at once: how long each waited for its answer; -1 for one that got none.
std::vector<double> waits_of(std::size_t count, std::uint16_t port) {
  const auto wait = [port] {
    const auto begin = clock_type::now();
    try {
      return visit(port, "hello") == "hello" ? seconds_since(begin) : -1;
    } catch (const std::system_error&) {
      return -1.0;
    }
  };
  std::vector<std::future<double>> visitors;
  for (std::size_t i = 0; i < count; ++i) visitors.push_back(std::async(std::launch::async, wait));
  std::vector<double> waits;
  for (auto& each : visitors) waits.push_back(each.get());
  return waits;
}

/// A connection to that address; none when it is refused.
loopback_socket connect_to(const std::string& address, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &wanted, &found) != 0) return {};
  loopback_socket made(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int outcome = ::connect(made.descriptor(), found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return outcome == 0 ? std::move(made) : loopback_socket();
}

std::string answer_at(const std::string& address, std::uint16_t port) {
  const auto visitor = connect_to(address, port);
  if (visitor.descriptor() < 0) return "refused";
  visitor.limit(patience);
  visitor.write("hello");
  visitor.shutdown_write();
  return read_to_end(visitor);
}

/// An echo service on ::1, for one visitor after the other.
class echo_on_ipv6 {
public:
  echo_on_ipv6() : door_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_addr = in6addr_loopback;
    socklen_t size = sizeof name;
    auto* const generic = reinterpret_cast<sockaddr*>(&name);
    if (::bind(door_.descriptor(), generic, size) != 0 || ::listen(door_.descriptor(), 16) != 0 ||
        ::getsockname(door_.descriptor(), generic, &size) != 0)
      throw std::system_error(errno, std::generic_category(), "an echo service on ::1");
    port_ = ntohs(name.sin6_port);
    thread_ = std::thread([this] { serve(); });
  }
  echo_on_ipv6(const echo_on_ipv6&) = delete;
  echo_on_ipv6& operator=(const echo_on_ipv6&) = delete;
  ~echo_on_ipv6() {
    ::shutdown(door_.descriptor(), SHUT_RDWR); // ends the accept
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
  void serve() const {
    for (;;) {
      loopback_socket visitor(::accept4(door_.descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
      if (visitor.descriptor() < 0) return;
      local_service::echo(visitor);
    }
  }

  loopback_socket door_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(names, *utf::precondition(own_names_possible))

BOOST_AUTO_TEST_CASE(visitors_share_the_lookup_of_a_slow_name) {
  own_names names;
  names.dns.answer("svc.test", "127.0.0.1");
  names.dns.delay(1s);
  const scratch_directory room;
  server_process server(room);
  local_service echo(local_service::echo);
  client_process client(room, server, at("svc.test", echo.port()));
  const auto waits = waits_of(15, client.public_port());
  const auto [least, most] = std::minmax_element(waits.begin(), waits.end());
  BOOST_TEST_MESSAGE("answered after " << *least << " to " << *most << " s");
  BOOST_TEST(*least >= 0);
  BOOST_TEST(*most < 4);
  BOOST_TEST(names.dns.questions() <= 4U); // IPv4 and IPv6, and once more by a resolver that lost patience
}

BOOST_AUTO_TEST_CASE(a_server_in_hosts_is_reached_and_left_while_dns_is_dead) {
  own_names names;
  names.hosts("127.0.0.1 server.test\n");
  names.dns.fall_silent();
  const scratch_directory room;
  server_process server(room);
  relay way(server.port());
  client_process client(room, server, "svc.test:80",
                        {.more = {"-server", at("server.test", way.port()), "-grace", "1s"}});
  std::vector<loopback_socket> visitors;
  for (int i = 0; i < 20; ++i) {
    visitors.push_back(loopback_socket::connect(client.public_port()));
    visitors.back().write("hello");
  }
  // So that the client has begun to look for the service.
  while (names.dns.questions() == 0) std::this_thread::yield();

  const auto cut = clock_type::now();
  way.cut();
  BOOST_REQUIRE(client.child().wait_for(output::err, "goes on after", patience).has_value());
  BOOST_TEST_MESSAGE("resumed after " << seconds_since(cut) << " s");
  BOOST_TEST(seconds_since(cut) < 3);

  const auto told = clock_type::now();
  client.child().signal(SIGTERM);
  BOOST_REQUIRE(client.child().wait(patience).has_value());
  BOOST_TEST_MESSAGE("stopped after " << seconds_since(told) << " s");
  BOOST_TEST(seconds_since(told) < 3);
}

BOOST_AUTO_TEST_CASE(a_server_that_cannot_look_its_own_name_up_says_so_and_ends) {
  own_names names;
  names.dns.fall_silent();
  const scratch_directory room;
  const auto begin = clock_type::now();
  const auto outcome = run_program({.arguments = {"server", "-listen", "server.test:0"},
                                    .environment = {{"GOTUNNEL_SECRET", test_secret}},
                                    .directory = room.path().string()});
  // The lookup itself would take twice as long.
  BOOST_TEST(seconds_since(begin) < 15);
  BOOST_TEST(outcome.code == 2);
  BOOST_TEST(outcome.err ==
             "gotunnel: -listen \"server.test:0\": no DNS server answers for the host name; give an "
             "address of this machine, or none for all\n");
}

BOOST_AUTO_TEST_CASE(the_last_good_answer_serves_visitors_while_dns_is_dead) {
  own_names names;
  names.dns.answer("svc.test", "127.0.0.1");
  const scratch_directory room;
  server_process server(room);
  local_service echo(local_service::echo);
  client_process client(room, server, at("svc.test", echo.port()));
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
  names.dns.fall_silent();
  const std::size_t before = names.dns.questions();
  // The answer is used for a while; then there are questions that nobody answers.
  for (int left = 3; left > 0;) {
    if (names.dns.questions() > before) --left;
    const auto asked = clock_type::now();
    BOOST_TEST_REQUIRE(visit(client.public_port(), "hello") == "hello");
    BOOST_TEST(seconds_since(asked) < 2);
  }
}

BOOST_AUTO_TEST_CASE(a_client_follows_a_server_whose_name_moves) {
  own_names names;
  names.dns.answer("server.test", "127.0.0.1");
  const scratch_directory room;
  std::optional<server_process> server(std::in_place, room);
  local_service echo(local_service::echo);
  client_process client(room, *server, echo.port(), {.more = {"-server", at("server.test", server->port())}});
  const std::string elsewhere = at("127.0.0.2", server->port());
  BOOST_TEST(server->stop() == 0);
  server.emplace(room, server_setup{.listen = elsewhere});
  const auto moved = clock_type::now();
  names.dns.answer("server.test", "127.0.0.2");
  client.wait_until_ready();
  BOOST_TEST(seconds_since(moved) < 3);
  BOOST_TEST(visit(client.public_port(), "hello") == "hello");
}

BOOST_AUTO_TEST_CASE(a_client_tries_a_name_that_led_to_a_foreign_service_again) {
  own_names names;
  const scratch_directory room;
  const local_service foreign([](loopback_socket& visitor) { static_cast<void>(visitor.read(1)); });
  names.dns.answer("server.test", "127.0.0.1");
  const server_process server(room, {.listen = at("127.0.0.2", foreign.port())});
  client_process client(room, server, 80,
                        {.more = {"-server", at("server.test", foreign.port())}, .wait_until_ready = false});
  BOOST_REQUIRE(client.child().wait_for(output::err, "trying again", patience).has_value());
  const auto moved = clock_type::now();
  names.dns.answer("server.test", "127.0.0.2");
  client.wait_until_ready();
  BOOST_TEST(seconds_since(moved) < 3);
}

BOOST_AUTO_TEST_CASE(a_name_with_several_addresses_is_listened_on_at_all_of_them) {
  own_names names;
  names.hosts("127.0.0.1 both.test\n127.0.0.2 both.test\n::1 both.test\n");
  const scratch_directory room;
  local_service echo(local_service::echo);
  server_process server(room, {.more = {"-bind", "both.test"}, .listen = "both.test:0"});
  for (const char* each : {"127.0.0.1", "127.0.0.2", "[::1]"}) {
    client_process client(room, server, echo.port(), {.more = {"-server", at(each, server.port())}});
    for (const char* address : {"127.0.0.1", "127.0.0.2", "::1"})
      BOOST_TEST(answer_at(address, client.public_port()) == "hello");
    BOOST_TEST(client.stop() == 0);
  }
}

BOOST_AUTO_TEST_CASE(all_ipv6_addresses_are_all_of_ipv4_too) {
  own_names names;
  const scratch_directory room;
  local_service echo(local_service::echo);
  const server_process server(room, {.more = {"-bind", "::"}, .listen = "[::]:0"});
  client_process client(room, server, echo.port());
  for (const char* address : {"127.0.0.1", "::1"})
    BOOST_TEST(answer_at(address, client.public_port()) == "hello");
}

BOOST_AUTO_TEST_CASE(a_machine_without_ipv4_has_tunnels) {
  own_names names;
  names.hosts("::1 server.test svc.test\n");
  own_names::remove_ipv4();
  const scratch_directory room;
  const echo_on_ipv6 echo;
  for (const char* listen : {"0", "[::1]:0", "server.test:0"}) {
    const std::string bind = listen[0] == '0' ? "" : "::1";
    const server_process server(room, {.more = {"-bind", bind}, .listen = listen});
    client_process client(room, server, at("svc.test", echo.port()),
                          {.more = {"-server", at("server.test", server.port())}});
    BOOST_TEST(answer_at("::1", client.public_port()) == "hello");
  }
}

BOOST_AUTO_TEST_SUITE_END()
