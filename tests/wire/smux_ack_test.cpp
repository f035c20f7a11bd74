#include "gotunnel/wire/smux_ack.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

constexpr time_point start{1h};

/// One that has sent `sent` bytes for which an answer is awaited.
smux_ack waiting(std::size_t sent) {
  smux_ack made;
  made.transmitted(sent, true, start);
  return made;
}

BOOST_AUTO_TEST_SUITE(smux_ack_test)

BOOST_AUTO_TEST_CASE(keepalives_and_acks_are_not_acknowledged) {
  smux_ack ack;
  ack.receive(1'000'000, start);
  BOOST_TEST(!ack.due());
  BOOST_TEST((ack.deadline() == never));
  ack.tick(start + 60s, 1ms);
  BOOST_TEST(!ack.due());
  BOOST_TEST(ack.received() == 1'000'000U);
}

BOOST_AUTO_TEST_CASE(a_few_bytes_are_acknowledged_after_half_a_second) {
  smux_ack ack;
  ack.receive(100, start);
  ack.owe(start);
  ack.receive(100, start + 300ms);
  ack.owe(start + 300ms);
  BOOST_TEST(!ack.due());
  BOOST_TEST(!ack.worthwhile());
  BOOST_TEST((ack.deadline() == start + 500ms)); // since the first of them
  ack.tick(start + 499ms, 1ms);
  BOOST_TEST(!ack.due());
  ack.tick(start + 500ms, 1ms);
  BOOST_TEST(ack.due());
  const auto told = ack.tell();
  BOOST_TEST(told.received == 200U);
  BOOST_TEST(!told.ask);
  BOOST_TEST(!ack.due());
  BOOST_TEST((ack.deadline() == never));
}

BOOST_AUTO_TEST_CASE(many_bytes_are_acknowledged_at_once_and_some_when_frames_leave_anyway) {
  smux_ack ack;
  ack.receive(64 * 1024, start);
  ack.owe(start);
  BOOST_TEST(ack.worthwhile());
  BOOST_TEST(!ack.due());
  ack.receive(192 * 1024, start);
  ack.owe(start);
  BOOST_TEST(ack.due());
  BOOST_TEST(ack.tell().received == 256U * 1024);
  BOOST_TEST(!ack.worthwhile());
}

BOOST_AUTO_TEST_CASE(who_asks_is_answered_at_once) {
  smux_ack ack;
  ack.asked();
  BOOST_TEST(ack.due());
  BOOST_TEST(!ack.tell().ask);
  BOOST_TEST(!ack.due());
}

BOOST_AUTO_TEST_CASE(what_the_peer_cannot_have_received_is_refused) {
  smux_ack ack = waiting(100);
  BOOST_TEST((ack.hear(101).error() == errc::broken_frame));
  BOOST_TEST(ack.hear(60).has_value());
  BOOST_TEST((ack.hear(59).error() == errc::broken_frame));
  BOOST_TEST(ack.hear(60).has_value());
  BOOST_TEST(ack.hear(100).has_value());
  BOOST_TEST(ack.acknowledged() == 100U);
}

BOOST_AUTO_TEST_CASE(a_silent_peer_is_asked_and_then_doubted) {
  smux_ack ack = waiting(100);
  BOOST_TEST((ack.deadline() == start + 600ms));
  ack.tick(start + 600ms, 1ms);
  BOOST_TEST(ack.due());
  BOOST_TEST(!ack.take_doubt());
  BOOST_TEST(ack.tell().ask);
  ack.transmitted(16, false, start + 600ms);
  BOOST_TEST((ack.deadline() == start + 1200ms));
  ack.tick(start + 1200ms, 1ms);
  BOOST_TEST(ack.take_doubt());
  BOOST_TEST(!ack.take_doubt()); // once
  ack.tick(start + 1700ms, 1ms);
  BOOST_TEST(ack.take_doubt());
  BOOST_TEST(!ack.due()); // it was asked
}

BOOST_AUTO_TEST_CASE(a_long_way_gets_more_time) {
  smux_ack ack = waiting(100);
  ack.tick(start + 600ms, 2s);
  BOOST_TEST((ack.deadline() == start + 4600ms));
}

BOOST_AUTO_TEST_CASE(a_sign_of_life_begins_the_wait_anew_and_the_acknowledgement_ends_it) {
  smux_ack ack = waiting(100);
  ack.tick(start + 600ms, 1ms);
  ack.receive(8, start + 900ms);
  BOOST_TEST(!ack.due()); // the question is void
  BOOST_TEST((ack.deadline() == start + 1500ms));
  BOOST_TEST(ack.hear(99).has_value());
  BOOST_TEST((ack.deadline() == start + 1500ms));
  BOOST_TEST(ack.hear(100).has_value());
  BOOST_TEST((ack.deadline() == never));
}

BOOST_AUTO_TEST_CASE(a_question_out_of_turn_has_its_own_patience) {
  smux_ack ack;
  ack.ask(start, 1s);
  BOOST_TEST(ack.due());
  BOOST_TEST(ack.tell().ask);
  BOOST_TEST((ack.deadline() == start + 1s));
  ack.tick(start + 1s, 1ms);
  BOOST_TEST(ack.take_doubt());
  ack.receive(16, start + 1s);
  BOOST_TEST((ack.deadline() == never));
}

// Seen with 400 visitors that did not read: the peer's kernel tried again 3 s after we read again.
BOOST_AUTO_TEST_CASE(after_a_pause_nothing_is_doubted_for_as_long_again) {
  smux_ack ack = waiting(100);
  for (duration at = 0ms; at <= 5s; at += 500ms) ack.pause(start + at);
  for (duration at = 5500ms; at < 11s; at += 500ms) {
    ack.tick(start + at, 1ms);
    BOOST_TEST(!ack.due());
  }
  ack.tick(start + 12s, 1ms);
  BOOST_TEST(ack.tell().ask);
  ack.tick(start + 13s, 1ms);
  BOOST_TEST(ack.take_doubt());
}

BOOST_AUTO_TEST_CASE(a_new_carrier_tells_both_counts_and_old_acks_may_come_again) {
  smux_ack ack = waiting(100);
  BOOST_TEST(ack.hear(40).has_value());
  ack.receive(7, start);
  ack.owe(start);
  BOOST_TEST((ack.attach(101, start).error() == errc::broken_frame));
  BOOST_TEST((ack.attach(39, start).error() == errc::broken_frame));
  BOOST_TEST(ack.attach(90, start).has_value());
  BOOST_TEST(ack.acknowledged() == 90U);
  BOOST_TEST((ack.deadline() == start + 600ms)); // ten bytes are sent anew; what came the peer knows of
  BOOST_TEST(ack.hear(50).has_value());
  BOOST_TEST(ack.acknowledged() == 90U);
  BOOST_TEST((ack.hear(49).error() == errc::broken_frame));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
