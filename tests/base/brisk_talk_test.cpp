#include "gotunnel/base/brisk_talk.hpp"

#include <boost/test/unit_test.hpp>

using namespace gotunnel;

namespace {

/// A conversation with a clock of its own.
struct conversation {
  time_point now = time_point{} + 1h;
  brisk_talk talk;

  void pass(duration after, std::size_t bytes = 64) {
    now += after;
    talk.passed(bytes, now);
  }
  /// So many that the next one is awaited.
  void warm_up() {
    for (int i = 0; i <= brisk_talk::many && !talk.awaited(now); ++i) pass(brisk_talk::brisk);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(brisk_talk_test)

BOOST_AUTO_TEST_CASE(many_brisk_messages_begin_it) {
  conversation with;
  for (int i = 0; i < brisk_talk::many; ++i) {
    with.pass(brisk_talk::brisk);
    BOOST_TEST(!with.talk.awaited(with.now));
  }
  with.pass(brisk_talk::brisk);
  BOOST_TEST(with.talk.awaited(with.now));
  with.pass(brisk_talk::moment);
  BOOST_TEST(with.talk.awaited(with.now));
}

BOOST_AUTO_TEST_CASE(a_moment_in_vain_ends_it) {
  conversation with;
  with.warm_up();
  BOOST_TEST(with.talk.awaited(with.now + brisk_talk::moment));
  BOOST_TEST(!with.talk.awaited(with.now + brisk_talk::moment + 1us));
  with.pass(brisk_talk::moment + 1us);
  BOOST_TEST(!with.talk.awaited(with.now));
  with.warm_up();
  BOOST_TEST(with.talk.awaited(with.now));
}

BOOST_AUTO_TEST_CASE(a_long_message_is_no_talk) {
  conversation with;
  with.warm_up();
  with.pass(1us, brisk_talk::short_message + 1);
  BOOST_TEST(!with.talk.awaited(with.now));
}

BOOST_AUTO_TEST_CASE(a_slow_message_is_not_brisk) {
  conversation with;
  for (int i = 0; i < 10 * brisk_talk::many; ++i) with.pass(brisk_talk::brisk + 1us);
  BOOST_TEST(!with.talk.awaited(with.now));
}

BOOST_AUTO_TEST_CASE(who_needs_the_processor_gets_it_for_a_while) {
  conversation with;
  with.warm_up();
  with.talk.looked_away(brisk_talk::turn, with.now);
  BOOST_TEST(with.talk.awaited(with.now));
  with.talk.looked_away(brisk_talk::turn + 1us, with.now);
  BOOST_TEST(!with.talk.awaited(with.now));
  with.now += brisk_talk::respite;
  with.warm_up();
  BOOST_TEST(with.talk.awaited(with.now));
}

BOOST_AUTO_TEST_SUITE_END()
