// Visitors outlive the carrier that they ride on: nothing is lost, nothing comes twice, and who may come
// meanwhile.
#include "e2e/bulk.hpp"
#include "e2e/process_facts.hpp"
#include "e2e/relay.hpp"
#include "e2e/tunnel.hpp"
#include "support/elapsed.hpp"
#include "support/refuses.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <list>
#include <optional>
#include <thread>

using namespace gotunnel::testing;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t megabyte = 1024UL * 1024;
constexpr std::size_t amount = (sanitized ? 4 : 32) * megabyte;

/// A tunnel over a line that can be cut.
struct stage {
  explicit stage(words for_client = {}, words for_server = {})
      : server(room, {.more = with(std::move(for_server), {"-workers", "2"})}),
        client(room, server, echo.port(), {.more = with(std::move(for_client), {"-server", way.address()})}) {
  }

  static words with(words some, const words& more) {
    some.insert(some.end(), more.begin(), more.end());
    return some;
  }
  [[nodiscard]] loopback_socket come() const {
    auto visitor = loopback_socket::connect(client.public_port());
    visitor.limit(patience);
    return visitor;
  }
  void wait_until_it_goes_on() {
    BOOST_REQUIRE(client.child().wait_for(output::err, "goes on after", patience).has_value());
  }
  void lose_the_line() {
    way.block(true);
    way.cut();
    BOOST_REQUIRE(server.child().wait_for(output::err, "lost its connection", patience).has_value());
  }

  scratch_directory room;
  server_process server;
  local_service echo{local_service::echo};
  relay way{server.port()};
  client_process client;
};

std::string ask(const loopback_socket& visitor, const std::string& text) {
  visitor.write(text);
  return visitor.read(text.size());
}

/// Of a visitor that asks now.
double seconds_until_answered(const loopback_socket& visitor) {
  const auto begin = clock_type::now();
  BOOST_TEST(ask(visitor, "after") == "after");
  const double took = seconds_since(begin);
  BOOST_TEST_MESSAGE("answered after " << took << " s");
  return took;
}

/// A visitor that sends and receives at once, and says at the end how many bytes came back right.
class transfer {
public:
  transfer(std::uint16_t port, std::uint64_t seed)
      : socket_(loopback_socket::connect(port)), sender_([this, seed] {
          send_pattern(socket_, amount, seed);
          socket_.shutdown_write();
        }),
        receiver_([this, seed] {
          right_ = receive_pattern(socket_, seed);
          over_ = true;
        }) {
    socket_.limit(60s);
  }
  [[nodiscard]] bool over() const { return over_; }
  std::size_t finish() {
    sender_.join();
    receiver_.join();
    return right_;
  }

private:
  loopback_socket socket_;
  std::atomic<std::size_t> right_ = 0;
  std::atomic<bool> over_ = false;
  std::thread sender_;
  std::thread receiver_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(resume)

BOOST_AUTO_TEST_CASE(transfers_both_ways_outlive_cut_after_cut) {
  stage s;
  // Half-closed ones: the service has heard all, and its answer is still to come.
  const auto listening = s.come();
  listening.shutdown_write();
  const auto idle = s.come();
  BOOST_TEST(ask(idle, "before") == "before");
  std::list<transfer> transfers;
  for (std::uint64_t i = 0; i < 6; ++i) transfers.emplace_back(s.client.public_port(), i);
  int cuts = 0;
  const auto under_way = [](const transfer& each) { return !each.over(); };
  for (; std::any_of(transfers.begin(), transfers.end(), under_way); ++cuts) {
    std::this_thread::sleep_for(100ms); // the pace of the cuts, not a wait
    s.way.cut();
    s.wait_until_it_goes_on();
  }
  BOOST_TEST_MESSAGE(transfers.size()
                     << " transfers of " << amount / megabyte << " MiB each way took " << cuts << " cuts");
  BOOST_TEST(cuts >= 2);
  for (transfer& each : transfers) BOOST_TEST(each.finish() == amount);
  BOOST_TEST(ask(idle, "after") == "after");
  BOOST_TEST(listening.ended());
  BOOST_TEST(s.client.log().find("the session with") != std::string::npos);
  BOOST_TEST(s.client.child().captured(output::out).find("ready: ") ==
             s.client.child().captured(output::out).rfind("ready: ")); // once
}

BOOST_AUTO_TEST_CASE(a_short_stall_is_all_that_a_visitor_sees) {
  stage s;
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  double worst = 0;
  for (int i = 0; i < 5; ++i) {
    s.way.cut();
    const auto begin = clock_type::now();
    BOOST_TEST(ask(visitor, "still here?") == "still here?");
    worst = std::max(worst, seconds_since(begin));
    s.wait_until_it_goes_on();
  }
  BOOST_TEST_MESSAGE("the longest of five stalls took " << worst * 1000 << " ms");
  BOOST_TEST(worst < (sanitized ? 5 : 1));
}

BOOST_AUTO_TEST_CASE(every_carrier_of_several_goes_on_by_itself) {
  stage s({"-carriers", "3"});
  BOOST_REQUIRE(s.client.child().wait_for(output::err, "(3 of 3 carriers are up)", patience).has_value());
  std::list<loopback_socket> visitors;
  for (int i = 0; i < 12; ++i) {
    visitors.push_back(s.come());
    BOOST_TEST(ask(visitors.back(), "before") == "before");
  }
  s.way.cut_oldest();
  s.wait_until_it_goes_on();
  s.way.cut();
  for (const auto& each : visitors) BOOST_TEST(ask(each, "after") == "after");
  BOOST_TEST(s.client.log().find("3 of 3 carriers are up") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_silent_line_is_left_within_seconds_when_data_waits) {
  stage s;
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  s.way.freeze();
  BOOST_TEST(seconds_until_answered(visitor) < (sanitized ? 10 : 2.5));
}

// Only the client can dial again, and it waits for nothing here.
BOOST_AUTO_TEST_CASE(a_silent_line_is_left_within_seconds_when_data_waits_at_the_server) {
  stage s;
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  std::this_thread::sleep_for(1500ms); // the silence in which all of it is acknowledged, not a wait
  s.way.freeze();
  BOOST_TEST(seconds_until_answered(visitor) < (sanitized ? 10 : 2.5));
}

BOOST_AUTO_TEST_CASE(after_a_long_outage_the_client_is_soon_back) {
  stage s;
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  s.lose_the_line();
  std::this_thread::sleep_for(4500ms); // the length of the outage, not a wait
  s.way.block(false);
  BOOST_TEST(seconds_until_answered(visitor) < (sanitized ? 10 : 2.6));
}

BOOST_AUTO_TEST_CASE(with_no_window_on_either_side_visitors_go_with_their_carrier) {
  const words off{"-resume-window", "0"};
  for (const bool at_client : {true, false}) {
    stage s(at_client ? off : words(), at_client ? words() : off);
    const auto visitor = s.come();
    BOOST_TEST(ask(visitor, "before") == "before");
    s.way.cut();
    BOOST_TEST((ends(visitor, patience) != how::not_yet));
    s.client.wait_until_ready();
    BOOST_TEST(visit(s.client.public_port(), "new") == "new");
    const std::string log = at_client ? s.server.log() : s.client.log();
    BOOST_TEST(log.find("does not resume") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(new_visitors_wait_for_the_hold_are_then_refused_and_let_in_again) {
  stage s({}, {"-resume-hold", "700ms"});
  const std::uint16_t port = s.client.public_port();
  s.lose_the_line();
  const auto early = s.come();
  early.write("may I?");
  const auto begin = clock_type::now();
  BOOST_TEST(seconds_until_refused(port) < 10);
  BOOST_TEST(seconds_since(begin) > 0.3);

  // Nobody else gets the port meanwhile.
  const words elsewhere{"-state-dir", s.room.file("other")};
  client_process other(s.room, s.server, s.echo.port(),
                       {.more = elsewhere, .remote_port = port, .wait_until_ready = false});
  BOOST_TEST(other.child().wait_for(output::err, "waiting in line for it", patience).has_value());
  BOOST_TEST(other.stop() == 0);

  s.way.block(false);
  s.wait_until_it_goes_on();
  BOOST_TEST(early.read(6) == "may I?");
  BOOST_TEST(s.server.child().wait_for(output::err, "is listened on again", patience).has_value());
  BOOST_TEST(visit(port, "late") == "late");
}

BOOST_AUTO_TEST_CASE(when_the_window_is_over_visitors_and_port_are_given_up) {
  stage s({"-resume-window", "800ms"});
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  s.lose_the_line();
  BOOST_TEST((ends(visitor, patience) != how::not_yet));
  BOOST_TEST(s.server.child().wait_for(output::err, "closed", patience).has_value());
  s.way.block(false);
  s.client.wait_until_ready();
  BOOST_TEST(visit(s.client.public_port(), "again") == "again");
}

BOOST_AUTO_TEST_CASE(a_goodbye_while_the_carrier_is_away_does_not_wait_for_it) {
  stage s;
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  s.lose_the_line();
  BOOST_REQUIRE(s.client.child().wait_for(output::err, "was lost", patience).has_value());
  const auto begin = clock_type::now();
  BOOST_TEST(s.client.stop() == 0);
  BOOST_TEST(s.server.stop() == 0);
  BOOST_TEST(seconds_since(begin) < (sanitized ? 8 : 4));
}

BOOST_AUTO_TEST_CASE(a_client_that_is_stopped_while_its_carrier_is_away_still_says_goodbye) {
  stage s;
  const auto visitor = s.come();
  BOOST_TEST(ask(visitor, "before") == "before");
  const std::uint16_t port = s.client.public_port();
  s.lose_the_line();
  s.way.block(false);
  BOOST_TEST(s.client.stop() == 0);
  BOOST_TEST(
      s.server.child().wait_for(output::err, "port " + std::to_string(port) + " closed", 5s).has_value());
  BOOST_TEST((ends(visitor, patience) != how::not_yet));
}

BOOST_AUTO_TEST_CASE(a_client_that_died_is_replaced_at_once_by_its_next_life) {
  const scratch_directory room;
  server_process server(room);
  const local_service echo(local_service::echo);
  const std::uint16_t port = free_port();
  client_process died(room, server, echo.port(), {.remote_port = port});
  died.child().signal(SIGKILL);
  BOOST_REQUIRE(died.child().wait(patience).has_value());
  BOOST_REQUIRE(server.child().wait_for(output::err, "lost its connection", patience).has_value());
  const auto begin = clock_type::now();
  client_process next(room, server, echo.port(), {.remote_port = port});
  BOOST_TEST(seconds_since(begin) < (sanitized ? 8 : 3));
  BOOST_TEST(visit(port, "hello") == "hello");
}

BOOST_AUTO_TEST_SUITE_END()
