#include "link_model.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <numeric>

namespace gotunnel::wan {
namespace {

constexpr time_point start{1h};

/// A packet that says which one it is.
packet numbered(std::size_t number, std::size_t size = 1000) {
  packet made(size);
  for (std::size_t i = 0; i < 4; ++i) made[i] = static_cast<std::byte>(number >> (8 * i));
  return made;
}

std::size_t number_of(const packet& which) {
  std::size_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number |= std::to_integer<std::size_t>(which[i]) << (8 * i);
  return number;
}

struct arrival {
  std::size_t number;
  duration after; ///< since `start`

  bool operator==(const arrival&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const arrival& a) {
    return out << a.number << " after " << a.after.count() << " ns";
  }
};

/// All that leaves by `until`, by the clock of the deadlines; proves that nothing is there before its
/// deadline.
std::vector<arrival> drain(link_model& line, time_point until = never) {
  std::vector<arrival> all;
  for (;;) {
    const time_point next = line.deadline();
    if (next == never || next > until) return all;
    BOOST_REQUIRE(!line.leave(next - 1ns));
    while (const auto left = line.leave(next)) all.push_back({number_of(*left), next - start});
  }
}

std::vector<std::size_t> numbers(const std::vector<arrival>& arrivals) {
  std::vector<std::size_t> all;
  for (const arrival& each : arrivals) all.push_back(each.number);
  return all;
}

/// A thousand packets a millisecond apart.
std::vector<arrival> send_many(link_model& line, std::size_t count) {
  std::vector<arrival> all;
  for (std::size_t i = 0; i < count; ++i) {
    const time_point now = start + i * 1ms;
    const auto due = drain(line, now);
    all.insert(all.end(), due.begin(), due.end());
    line.enter(numbered(i), now);
  }
  const auto rest = drain(line);
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(wan_link_model)

BOOST_AUTO_TEST_CASE(an_idle_line_has_no_deadline) {
  link_model line({}, 1);
  BOOST_TEST((line.deadline() == never));
  BOOST_TEST(!line.leave(start));
}

BOOST_AUTO_TEST_CASE(without_settings_a_packet_arrives_at_once) {
  link_model line({}, 1);
  line.enter(numbered(7), start);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{7, 0ns}}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_delay_is_exact) {
  link_model line({.delay = 50ms}, 1);
  line.enter(numbered(0), start);
  line.enter(numbered(1), start + 3ns);
  line.enter(numbered(2), start + 70ms);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{0, 50ms}, {1, 50ms + 3ns}, {2, 120ms}}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_driver_that_comes_late_gets_all_in_order_and_is_told_how_late_it_was) {
  link_model line({.delay = 1ms, .rate = 8'000'000}, 1);
  for (std::size_t i = 0; i < 3; ++i) line.enter(numbered(i), start);
  for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(number_of(line.leave(start + 10ms).value()) == i);
  BOOST_TEST(!line.leave(start + 10ms));
  // Due after 2, 3 and 4 ms.
  BOOST_TEST((line.counters().most_behind == 8ms));
  BOOST_TEST((line.counters().behind == 21ms));
}

BOOST_AUTO_TEST_CASE(the_rate_is_exact_over_many_packets) {
  // 1000 bytes at 7 Mbit/s take 1142857 1/7 ns: the sevenths must not be lost.
  link_model line({.delay = 5ms, .rate = 7'000'000, .queue = 7000}, 1);
  for (std::size_t i = 0; i < 7000; ++i) line.enter(numbered(i), start);
  const auto all = drain(line);
  BOOST_REQUIRE(all.size() == 7000U);
  BOOST_TEST((all[0] == arrival{0, 5ms + 1142857ns}));
  BOOST_TEST((all[6] == arrival{6, 5ms + 8ms}));
  BOOST_TEST((all[6999] == arrival{6999, 5ms + 8s}));
  BOOST_TEST(std::is_sorted(all.begin(), all.end(),
                            [](const arrival& a, const arrival& b) { return a.number < b.number; }));
}

BOOST_AUTO_TEST_CASE(a_line_that_rests_saves_nothing_up) {
  link_model line({.rate = 8'000'000}, 1);
  line.enter(numbered(0), start);
  line.enter(numbered(1), start + 10ms);
  line.enter(numbered(2), start + 10ms);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{0, 1ms}, {1, 11ms}, {2, 12ms}}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_full_queue_drops_the_new_packet_and_takes_the_next_when_one_has_left) {
  link_model line({.rate = 8'000'000, .queue = 3}, 1);
  for (std::size_t i = 0; i < 5; ++i) line.enter(numbered(i), start);
  BOOST_TEST(line.counters().overflow == 2U);
  line.enter(numbered(5), start + 1ms);
  line.enter(numbered(6), start + 1ms);
  BOOST_TEST(line.counters().overflow == 3U);
  BOOST_TEST(numbers(drain(line)) == (std::vector<std::size_t>{0, 1, 2, 5}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_queue_bounds_what_waits_and_not_what_is_under_way) {
  link_model line({.delay = 1s, .queue = 1}, 1);
  for (std::size_t i = 0; i < 100; ++i) line.enter(numbered(i), start);
  BOOST_TEST(drain(line).size() == 100U);
}

BOOST_AUTO_TEST_CASE(what_is_under_way_is_bounded_in_bytes) {
  link_model line({.delay = 1h}, 1);
  const std::size_t size = link_model::most_under_way / 4;
  for (std::size_t i = 0; i < 5; ++i) line.enter(numbered(i, size), start);
  BOOST_TEST(line.counters().overflow == 1U);
  BOOST_TEST(drain(line).size() == 4U);
  line.enter(numbered(5, size), start + 2h);
  BOOST_TEST(drain(line).size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_share_of_losses_is_close_and_the_rest_is_in_order) {
  link_model line({.delay = 20ms, .loss = 0.1}, 4711);
  const auto arrived = numbers(send_many(line, 20'000));
  // Five standard deviations: the square root of n p (1-p) is 42.
  BOOST_TEST(arrived.size() > 18'000U - 212);
  BOOST_TEST(arrived.size() < 18'000U + 212);
  BOOST_TEST(std::is_sorted(arrived.begin(), arrived.end()));
  BOOST_TEST(line.counters().lost + arrived.size() == 20'000U);
}

BOOST_AUTO_TEST_CASE(all_or_nothing_is_exact) {
  link_model none({.loss = 1.0}, 1);
  BOOST_TEST(send_many(none, 1000).empty());
  link_model all({}, 1);
  BOOST_TEST(send_many(all, 1000).size() == 1000U);
}

BOOST_AUTO_TEST_CASE(the_seed_decides_and_other_seeds_decide_otherwise) {
  const link_settings settings{.delay = 20ms, .loss = 0.1, .reorder = 0.1};
  link_model one(settings, 7);
  link_model same(settings, 7);
  link_model other(settings, 8);
  const auto first = send_many(one, 1000);
  BOOST_TEST(first == send_many(same, 1000), boost::test_tools::per_element());
  BOOST_TEST((first != send_many(other, 1000)));
}

BOOST_AUTO_TEST_CASE(who_is_lost_depends_on_the_number_only) {
  link_model plain({.loss = 0.1}, 7);
  link_model other({.delay = 3ms, .rate = 100'000'000, .loss = 0.1, .reorder = 0.5}, 7);
  auto lost_by_other = numbers(send_many(other, 1000));
  std::sort(lost_by_other.begin(), lost_by_other.end());
  BOOST_TEST(numbers(send_many(plain, 1000)) == lost_by_other, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(reordered_packets_come_late_and_are_all_there) {
  link_model line({.delay = 20ms, .reorder = 0.1}, 7); // late by 5 ms: after four others
  auto all = send_many(line, 1000);
  const auto late = [](const arrival& each) { return each.after != each.number * 1ms + 20ms; };
  for (const arrival& each : all)
    if (late(each)) BOOST_TEST((each.after == each.number * 1ms + 25ms));
  const auto many = static_cast<std::uint64_t>(std::count_if(all.begin(), all.end(), late));
  BOOST_TEST(many == line.counters().late);
  BOOST_TEST(many > 50U);
  BOOST_TEST(many < 150U);
  auto arrived = numbers(all);
  BOOST_TEST(!std::is_sorted(arrived.begin(), arrived.end()));
  std::sort(arrived.begin(), arrived.end());
  std::vector<std::size_t> each_once(1000);
  std::iota(each_once.begin(), each_once.end(), 0U);
  BOOST_TEST(arrived == each_once, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_shorter_delay_does_not_overtake_what_is_under_way) {
  link_model line({.delay = 100ms}, 1);
  line.enter(numbered(0), start);
  line.configure({.delay = 10ms}, start + 1ms);
  line.enter(numbered(1), start + 1ms);
  line.enter(numbered(2), start + 95ms);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{0, 100ms}, {1, 100ms}, {2, 105ms}}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_new_rate_counts_at_once_for_what_waits) {
  link_model line({.rate = 8'000}, 1); // a packet a second
  for (std::size_t i = 0; i < 3; ++i) line.enter(numbered(i), start);
  line.configure({.rate = 8'000'000}, start + 500ms);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{0, 501ms}, {1, 502ms}, {2, 503ms}}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(drop_loses_what_comes_and_not_what_is_under_way) {
  link_settings settings{.delay = 10ms};
  link_model line(settings, 1);
  line.enter(numbered(0), start);
  settings.mode = gate::drop;
  line.configure(settings, start + 1ms);
  line.enter(numbered(1), start + 2ms);
  settings.mode = gate::pass;
  line.configure(settings, start + 3ms);
  line.enter(numbered(2), start + 4ms);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{0, 10ms}, {2, 14ms}}), boost::test_tools::per_element());
  BOOST_TEST(line.counters().gated == 1U);
}

BOOST_AUTO_TEST_CASE(cut_loses_what_waits_and_what_is_under_way_too) {
  link_settings settings{.delay = 10ms, .rate = 8'000'000, .reorder = 0.5};
  link_model line(settings, 1);
  for (std::size_t i = 0; i < 20; ++i) line.enter(numbered(i), start);
  settings.mode = gate::cut;
  line.configure(settings, start + 5ms);
  BOOST_TEST((line.deadline() == never));
  line.enter(numbered(20), start + 6ms);
  BOOST_TEST(line.counters().gated == 21U);
  settings.mode = gate::pass;
  settings.reorder = 0;
  line.configure(settings, start + 7ms);
  line.enter(numbered(21), start + 7ms);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{21, 18ms}}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(freeze_holds_all_up_to_the_queue_and_lets_it_go_in_order) {
  link_settings settings{.delay = 10ms, .queue = 2};
  link_model line(settings, 1);
  line.enter(numbered(0), start);
  settings.mode = gate::freeze;
  line.configure(settings, start + 1ms);
  for (std::size_t i = 1; i < 5; ++i) line.enter(numbered(i), start + 2ms);
  BOOST_TEST((line.deadline() == never));
  BOOST_TEST(!line.leave(start + 1h));
  settings.mode = gate::pass;
  line.configure(settings, start + 50ms);
  BOOST_TEST(drain(line) == (std::vector<arrival>{{0, 50ms}, {1, 60ms}, {2, 60ms}}),
             boost::test_tools::per_element());
  BOOST_TEST(line.counters().overflow == 2U);
  BOOST_TEST((line.counters().most_behind == 0ms));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace gotunnel::wan
