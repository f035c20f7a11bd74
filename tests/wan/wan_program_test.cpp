#include "link_model.hpp"
#include "support/elapsed.hpp"
#include "wan/datagram_socket.hpp"
#include "wan/wan_link.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>

using namespace gotunnel::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s;

/// A line and a socket at each end.
struct talkers {
  explicit talkers(const std::vector<std::string>& options) : link(options) {
    const auto at = [](pid_t end, const std::string& local, const std::string& peer) {
      const inside there(end);
      return std::make_unique<datagram_socket>(local, peer);
    };
    left = at(link.left(), left_ip, right_ip);
    right = at(link.right(), right_ip, left_ip);
  }

  /// From the left end to the right one and back.
  double round_trip_ms() const {
    const auto start = std::chrono::steady_clock::now();
    left->send(1);
    BOOST_REQUIRE((right->receive(patience) == 1));
    right->send(2);
    BOOST_REQUIRE((left->receive(patience) == 2));
    return 1000 * seconds_since(start);
  }

  wan_link link;
  std::unique_ptr<datagram_socket> left;
  std::unique_ptr<datagram_socket> right;
};

struct outcome {
  int code;
  std::string out;
  std::string err;
};

outcome run(const std::vector<std::string>& words) {
  child_process child(wan_program(), {.arguments = words});
  const auto ended = child.wait(patience);
  BOOST_REQUIRE(ended.has_value());
  return {ended->code, child.captured(output::out), child.captured(output::err)};
}

bool gone(pid_t who) { return ::kill(who, 0) != 0 && errno == ESRCH; }

/// What of n packets to the right the model of that seed lets through.
std::vector<int> survivors(int count, double loss, std::uint64_t seed) {
  gotunnel::wan::link_model model({.loss = loss}, 2 * seed);
  std::vector<int> all;
  for (int i = 0; i < count; ++i) {
    model.enter(gotunnel::wan::packet(1), {});
    if (model.leave({})) all.push_back(i);
  }
  return all;
}

bool possible() {
  static const bool once = lines_possible();
  return once;
}

const boost::unit_test::precondition where_possible([](boost::unit_test::test_unit_id) {
  return possible();
});

} // namespace

BOOST_AUTO_TEST_SUITE(wan_program_line, *where_possible)

BOOST_AUTO_TEST_CASE(a_round_trip_takes_two_delays) {
  const talkers line({"--delay", "20ms"});
  double best = 1e9;
  for (int i = 0; i < 10; ++i) {
    const double took = line.round_trip_ms();
    BOOST_TEST(took >= 40);
    best = std::min(best, took);
  }
  // The best: a busy machine may hold up some of them.
  BOOST_TEST(best < 45);
}

BOOST_AUTO_TEST_CASE(the_seed_says_which_packets_are_lost) {
  const talkers line({"--loss", "20%", "--seed", "4711"});
  for (int i = 0; i < 200; ++i) line.left->send(i);
  const auto expected = survivors(200, 0.2, 4711);
  BOOST_TEST(expected.size() < 180U);
  std::vector<int> arrived;
  while (arrived.size() < expected.size()) {
    const auto next = line.right->receive(patience);
    BOOST_REQUIRE(next.has_value());
    arrived.push_back(*next);
  }
  BOOST_TEST(arrived == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_rate_is_kept) {
  const talkers line({"--rate", "2mbit"});
  const auto start = std::chrono::steady_clock::now();
  // 250 kB on the line: one second.
  for (int i = 0; i < 250; ++i) line.left->send(i, 972);
  for (int i = 0; i < 250; ++i) BOOST_REQUIRE((line.right->receive(patience) == i));
  BOOST_TEST(seconds_since(start) >= 1.0);
  BOOST_TEST(seconds_since(start) < 10.0);
}

BOOST_AUTO_TEST_CASE(packets_are_reordered_and_none_is_missing) {
  const talkers line({"--reorder", "20%", "--reorder-by", "50ms"});
  for (int i = 0; i < 100; ++i) line.left->send(i);
  std::vector<int> arrived;
  for (int i = 0; i < 100; ++i) arrived.push_back(line.right->receive(patience).value_or(-1));
  BOOST_TEST(!std::is_sorted(arrived.begin(), arrived.end()));
  std::sort(arrived.begin(), arrived.end());
  for (int i = 0; i < 100; ++i) BOOST_TEST(arrived[static_cast<std::size_t>(i)] == i);
}

BOOST_AUTO_TEST_CASE(a_running_line_takes_orders) {
  const talkers line({});
  BOOST_TEST(line.link.tell("drop to-right") == "ok\n");
  line.left->send(1);
  // What the other direction carries afterwards shows that the first one had its chance.
  line.right->send(2);
  BOOST_TEST((line.left->receive(patience) == 2));
  BOOST_TEST(line.link.tell("stats to-right").find("gated 1 ") != std::string::npos);
  BOOST_TEST(line.link.tell("freeze") == "ok\n");
  line.left->send(3);
  line.left->send(4);
  BOOST_TEST(line.link.tell("pass") == "ok\n");
  BOOST_TEST((line.right->receive(patience) == 3));
  BOOST_TEST((line.right->receive(patience) == 4));
  BOOST_TEST(line.link.tell("delay 30ms") == "ok\n");
  BOOST_TEST(line.round_trip_ms() >= 60);
  BOOST_TEST(line.link.tell("dellay 30ms").starts_with("error: "));
}

BOOST_AUTO_TEST_CASE(the_right_command_decides_and_nothing_is_left) {
  const auto ended = run(
      {"--left", "sleep infinity & echo $!; echo $$; wait", "--right", "sleep infinity & echo $!; exit 7"});
  BOOST_TEST(ended.code == 7);
  BOOST_TEST(ended.err == "");
  std::istringstream said(ended.out);
  int processes = 0;
  for (pid_t who = 0; said >> who; ++processes) BOOST_TEST(gone(who));
  BOOST_TEST(processes >= 1);
}

BOOST_AUTO_TEST_CASE(the_commands_know_where_they_are) {
  const auto ended = run({"--left", "true", "--right", "echo $WAN_SIDE $WAN_LOCAL $WAN_PEER"});
  BOOST_TEST(ended.out == "right 10.77.0.2 10.77.0.1\n");
  BOOST_TEST(ended.code == 0);
}

BOOST_AUTO_TEST_CASE(a_signal_ends_both) {
  child_process child(wan_program(), {.arguments = {"--left", "echo $$; exec sleep infinity", "--right",
                                                    "echo $$; exec sleep infinity"}});
  const auto first = child.wait_for_number(output::out, "", patience);
  const auto second = child.wait_for_number(output::out, "", patience);
  child.signal(SIGTERM);
  const auto ended = child.wait(patience);
  BOOST_REQUIRE(ended.has_value());
  BOOST_TEST(ended->code == 128 + SIGTERM);
  BOOST_TEST(ended->signal == 0);
  BOOST_TEST(gone(static_cast<pid_t>(first.value())));
  BOOST_TEST(gone(static_cast<pid_t>(second.value())));
}

BOOST_AUTO_TEST_CASE(wrong_words_are_told_in_one_line) {
  const std::string nowhere = "/nowhere/control";
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {}, {"--delay", "5"}, {"--left", "true", "--right", "true", "--control", nowhere}, {"tell"}}) {
    const auto ended = run(words);
    BOOST_TEST(ended.code == 2);
    BOOST_TEST(ended.err.starts_with("wan: "));
    BOOST_TEST(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
  }
  BOOST_TEST(run({"tell", nowhere, "cut"}).code == 1);
}

BOOST_AUTO_TEST_SUITE_END()
