// What a visitor's connection keeps on its way through the tunnel: every byte, half-close, resets, and its
// own pace.
#include "e2e/bulk.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/tunnel.hpp"
#include "support/elapsed.hpp"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <future>
#include <sstream>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t mebibyte = 1024UL * 1024;

struct tunnel {
  explicit tunnel(local_service::handler serve) : service(std::move(serve)) {}

  [[nodiscard]] loopback_socket visitor() const { return loopback_socket::connect(client.public_port()); }

  scratch_directory room;
  server_process server{room};
  local_service service;
  client_process client{room, server, service.port()};
};

/// A listener of another family for one visitor, whom it echoes.
class other_service {
public:
  other_service(int family, const sockaddr* address, socklen_t size)
      : listener_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    BOOST_REQUIRE(::bind(listener_.descriptor(), address, size) == 0);
    BOOST_REQUIRE(::listen(listener_.descriptor(), 1) == 0);
    listener_.limit(patience);
    thread_ = std::thread([this] {
      loopback_socket visitor(::accept(listener_.descriptor(), nullptr, nullptr));
      if (visitor.descriptor() >= 0) local_service::echo(visitor);
    });
  }
  ~other_service() { thread_.join(); }
  [[nodiscard]] int descriptor() const { return listener_.descriptor(); }

private:
  loopback_socket listener_;
  std::thread thread_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(splice)

BOOST_AUTO_TEST_CASE(a_visitor_that_ends_its_side_still_gets_the_whole_answer) {
  const std::string answer = pattern(7).next(3 * mebibyte);
  const tunnel t(local_service::one_answer(answer));
  BOOST_TEST((visit(t.client.public_port(), "request") == answer));
}

BOOST_AUTO_TEST_CASE(a_service_that_ends_its_side_still_hears_the_whole_visitor) {
  std::promise<std::size_t> heard;
  const tunnel t([&](loopback_socket& visitor) {
    visitor.shutdown_write();
    heard.set_value(receive_pattern(visitor, 3));
  });
  const auto visitor = t.visitor();
  BOOST_TEST(visitor.ended());
  send_pattern(visitor, 3 * mebibyte, 3);
  visitor.shutdown_write();
  auto arrived = heard.get_future();
  BOOST_REQUIRE((arrived.wait_for(patience) == std::future_status::ready));
  BOOST_TEST(arrived.get() == 3 * mebibyte);
}

BOOST_AUTO_TEST_CASE(an_urgent_byte_is_read_in_its_place_both_ways) {
  const auto say = [](const loopback_socket& to) {
    to.write("before");
    if (::send(to.descriptor(), "!", 1, MSG_OOB) != 1) throw std::runtime_error("cannot send an urgent byte");
    to.write("after");
  };
  std::promise<std::string> heard;
  const tunnel t([&](loopback_socket& visitor) {
    heard.set_value(visitor.read(12));
    say(visitor);
    visitor.shutdown_write();
  });
  const auto visitor = t.visitor();
  say(visitor);
  visitor.shutdown_write();
  auto arrived = heard.get_future();
  BOOST_REQUIRE((arrived.wait_for(patience) == std::future_status::ready));
  BOOST_TEST(arrived.get() == "before!after");
  BOOST_TEST(read_to_end(visitor) == "before!after");
}

BOOST_AUTO_TEST_CASE(a_reset_stays_a_reset_both_ways) {
  std::promise<how> service_saw;
  {
    const tunnel t([&](loopback_socket& visitor) {
      visitor.write("x");
      service_saw.set_value(ends(visitor, patience));
    });
    const auto visitor = t.visitor();
    BOOST_TEST(visitor.read(1) == "x");
    reset(visitor);
    BOOST_TEST((service_saw.get_future().get() == how::rst));
  }
  const tunnel t([](loopback_socket& visitor) {
    [[maybe_unused]] const auto request = visitor.read(1);
    reset(visitor);
  });
  const auto visitor = t.visitor();
  visitor.write("x");
  BOOST_TEST((ends(visitor, patience) == how::rst));
}

BOOST_AUTO_TEST_CASE(a_service_that_is_not_there_closes_visitors_at_once_and_is_logged_once) {
  const scratch_directory room;
  server_process server(room);
  const std::uint16_t nobody = loopback_listener().port();
  client_process client(room, server, nobody);
  for (int i = 0; i < 50; ++i) {
    const auto start = clock_type::now();
    const auto visitor = loopback_socket::connect(client.public_port());
    BOOST_TEST((ends(visitor, patience) != how::not_yet));
    BOOST_TEST(seconds_since(start) < 5);
  }
  BOOST_TEST(client.child().wait_for(output::err, "cannot reach the local service", patience).has_value());
  std::istringstream log(client.log());
  int said = 0;
  for (std::string line; std::getline(log, line);)
    said += line.find("cannot reach the local service") != std::string::npos;
  BOOST_TEST(said <= 2);
}

BOOST_AUTO_TEST_CASE(a_visitor_that_does_not_read_stalls_nobody_and_holds_little_memory) {
  constexpr std::size_t offered = (sanitized ? 40 : 200) * mebibyte;
  std::atomic<std::size_t> written = 0;
  tunnel t([&](loopback_socket& visitor) {
    const std::string kind = visitor.read(1);
    if (kind == "q") return visitor.write("quick");
    pattern source(9);
    for (std::size_t sent = 0; sent < offered; sent += 64UL * 1024) {
      visitor.write(source.next(64UL * 1024));
      written += 64UL * 1024;
    }
    visitor.shutdown_write();
  });
  // It asks for much and does not read; the answer stops on its way.
  const auto slow = t.visitor();
  slow.write("s");
  std::size_t last = 0;
  int still = 0;
  double worst = 0;
  for (const auto start = clock_type::now(); still < 25 && seconds_since(start) < 20;) {
    const auto quick_start = clock_type::now();
    const auto quick = t.visitor();
    quick.write("q");
    BOOST_REQUIRE(quick.read(5) == "quick");
    worst = std::max(worst, seconds_since(quick_start));
    still = written == last ? still + 1 : 0;
    last = written;
  }
  BOOST_TEST_MESSAGE("held on its way: " << last / mebibyte << " MiB; slowest quick visitor " << worst * 1000
                                         << " ms; server " << resident_kib(t.server.child().pid())
                                         << " KiB, client " << resident_kib(t.client.child().pid())
                                         << " KiB");
  BOOST_TEST(last < offered);
  if (!sanitized) {
    BOOST_TEST(resident_kib(t.server.child().pid()) < 64UL * 1024);
    BOOST_TEST(resident_kib(t.client.child().pid()) < 64UL * 1024);
  }
  // Slow is not lost.
  BOOST_TEST(receive_pattern(slow, 9) == offered);
}

BOOST_AUTO_TEST_CASE(much_goes_both_ways_at_once_and_arrives_as_it_was) {
  constexpr std::size_t size = (sanitized ? 8 : 64) * mebibyte;
  std::promise<std::size_t> heard;
  const tunnel t([&](loopback_socket& visitor) {
    std::thread sender([&] {
      send_pattern(visitor, size, 1);
      visitor.shutdown_write();
    });
    heard.set_value(receive_pattern(visitor, 2));
    sender.join();
  });
  const auto visitor = t.visitor();
  std::thread sender([&] {
    send_pattern(visitor, size, 2);
    visitor.shutdown_write();
  });
  const std::size_t right = receive_pattern(visitor, 1);
  sender.join();
  BOOST_TEST(right == size);
  BOOST_TEST(heard.get_future().get() == size);
}

BOOST_AUTO_TEST_CASE(two_hundred_visitors_at_once_each_get_their_own_bytes) {
  tunnel t(local_service::echo);
  std::vector<loopback_socket> visitors;
  for (int i = 0; i < 200; ++i) visitors.push_back(t.visitor());
  constexpr std::size_t size = 100'000;
  for (std::size_t i = 0; i < visitors.size(); ++i) {
    send_pattern(visitors[i], size, i);
    visitors[i].shutdown_write();
  }
  for (std::size_t i = 0; i < visitors.size(); ++i) BOOST_TEST(receive_pattern(visitors[i], i) == size);
  BOOST_TEST(t.client.log().find("error") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_service_may_listen_on_a_unix_socket_or_on_ipv6) {
  const scratch_directory room;
  server_process server(room);
  {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = room.file("service.sock");
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const other_service service(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    client_process client(room, server, "unix:" + path);
    BOOST_TEST(visit(client.public_port(), "by unix socket") == "by unix socket");
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const other_service service(AF_INET6, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  BOOST_REQUIRE(::getsockname(service.descriptor(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  client_process client(room, server, "[::1]:" + std::to_string(ntohs(address.sin6_port)));
  BOOST_TEST(visit(client.public_port(), "by IPv6") == "by IPv6");
}

BOOST_AUTO_TEST_SUITE_END()
