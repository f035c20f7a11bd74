#include "gotunnel/reverse/holder_set.hpp"

#include "reverse/fake_holder.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include <deque>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

/// Three carriers of one client, and the visitors they have.
struct three {
  three() {
    for (std::uint8_t i = 0; i < 3; ++i)
      BOOST_TEST(holders.add({sessions[i], 1, std::uint8_t(i + 1)}) == nullptr);
  }
  /// Which of them gets the next visitor; -1: nobody.
  int admit() {
    const auto* next = holders.next();
    if (next == nullptr) return -1;
    const int index = next->carrier - 1;
    tickets[static_cast<std::size_t>(index)].push_back(holders.admit(*next));
    return index;
  }

  boost::asio::io_context context;
  std::shared_ptr<fake_holder> sessions[3] = {std::make_shared<fake_holder>(context.get_executor()),
                                              std::make_shared<fake_holder>(context.get_executor()),
                                              std::make_shared<fake_holder>(context.get_executor())};
  holder_set holders;
  std::deque<visitor_ticket> tickets[3];
};

} // namespace

BOOST_AUTO_TEST_SUITE(holder_set_test)

BOOST_AUTO_TEST_CASE(nobody_is_next_of_nobody) {
  const holder_set nobody;
  BOOST_TEST(nobody.next() == nullptr);
  BOOST_TEST(!nobody.joinable());
}

BOOST_FIXTURE_TEST_CASE(equals_take_turns, three) {
  for (int i = 0; i < 9; ++i) BOOST_TEST(admit() == i % 3);
}

BOOST_FIXTURE_TEST_CASE(equals_take_turns_however_short_a_visit_is, three) {
  for (int i = 0; i < 9; ++i) {
    BOOST_TEST(admit() == i % 3);
    for (auto& each : tickets) each.clear();
  }
}

BOOST_FIXTURE_TEST_CASE(the_one_with_the_fewest_visitors_comes_first, three) {
  for (int i = 0; i < 9; ++i) admit();
  tickets[1].pop_front();
  tickets[1].pop_front();
  tickets[0].pop_front();
  BOOST_TEST(admit() == 1); // 2 1 3
  BOOST_TEST(admit() == 0); // 2 2 3
  BOOST_TEST(admit() == 1); // 3 2 3
  BOOST_TEST(admit() == 2); // 3 3 3
}

BOOST_FIXTURE_TEST_CASE(who_is_over_gets_none, three) {
  holders.turn_away(*sessions[0]);
  BOOST_TEST(admit() == 1);
  BOOST_TEST(admit() == 2);
  BOOST_TEST(admit() == 1);
  holders.turn_away(*sessions[1]);
  holders.turn_away(*sessions[2]);
  BOOST_TEST(admit() == -1);
  // Its place is good again for whoever gets it.
  const auto fresh = std::make_shared<fake_holder>(context.get_executor());
  BOOST_TEST(holders.add({fresh, 1, 1}) == sessions[0]);
  BOOST_TEST(admit() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_number_has_one_place, three) {
  const auto fresh = std::make_shared<fake_holder>(context.get_executor());
  admit();
  admit();
  BOOST_TEST(holders.add({fresh, 1, 2}) == sessions[1]);
  BOOST_TEST(holders.size() == 3U);
  BOOST_TEST(!holders.contains(*sessions[1]));
  BOOST_TEST(holders.contains(*fresh));
  BOOST_TEST(!holders.remove(*sessions[1]));
  BOOST_TEST(holders.next()->holder == sessions[2]); // its turn
  // The visitors of the former one are not its own.
  tickets[1].clear();
  BOOST_TEST(holders.next()->visitors->load() == 0U);
}

BOOST_FIXTURE_TEST_CASE(who_leaves_is_not_next, three) {
  for (int i = 0; i < 3; ++i) admit();
  BOOST_TEST(holders.remove(*sessions[2]));
  BOOST_TEST(admit() == 0);
  BOOST_TEST(admit() == 1);
  BOOST_TEST(holders.remove(*sessions[0]));
  BOOST_TEST(holders.remove(*sessions[1]));
  BOOST_TEST(holders.size() == 0U);
  BOOST_TEST(admit() == -1);
}

BOOST_FIXTURE_TEST_CASE(who_has_no_number_is_not_joined, three) {
  BOOST_TEST(holders.joinable());
  holders.clear();
  BOOST_TEST(holders.add({sessions[0], 1, 0}) == nullptr);
  BOOST_TEST(!holders.joinable());
  BOOST_TEST(holders.next()->holder == sessions[0]);
}

BOOST_FIXTURE_TEST_CASE(one_that_is_away_gets_visitors_only_when_all_are, three) {
  BOOST_TEST(holders.set_away(*sessions[1], true));
  for (int i = 0; i < 6; ++i) BOOST_TEST(admit() != 1);
  BOOST_TEST(!holders.all_away());
  BOOST_TEST(holders.set_away(*sessions[0], true));
  BOOST_TEST(holders.set_away(*sessions[2], true));
  BOOST_TEST(holders.all_away());
  BOOST_TEST(admit() == 1); // it has the fewest
  BOOST_TEST(holders.set_away(*sessions[2], false));
  for (int i = 0; i < 6; ++i) BOOST_TEST(admit() == 2);
  const auto stranger = std::make_shared<fake_holder>(context.get_executor());
  BOOST_TEST(!holders.set_away(*stranger, true));
}

BOOST_AUTO_TEST_SUITE_END()
