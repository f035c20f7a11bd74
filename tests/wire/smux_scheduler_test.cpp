#include "gotunnel/wire/smux_scheduler.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace gotunnel::wire {
namespace {

struct named : smux_scheduler::entry {
  explicit named(char with) : name(with) {}
  char name;
  std::size_t total = 0;
};

constexpr std::size_t quantum = 100;

/// Sends one frame of `bytes`; who sent it.
char serve(smux_scheduler& scheduler, std::size_t bytes = quantum) {
  auto* const next = static_cast<named*>(scheduler.front());
  if (next == nullptr) return '-';
  scheduler.sent(*next, bytes);
  next->total += bytes;
  return next->name;
}

std::string serve_many(smux_scheduler& scheduler, int frames, std::size_t bytes = quantum) {
  std::string order;
  for (int i = 0; i < frames; ++i) order.push_back(serve(scheduler, bytes));
  return order;
}

BOOST_AUTO_TEST_SUITE(smux_scheduler_test)

BOOST_AUTO_TEST_CASE(equals_take_turns) {
  smux_scheduler scheduler(quantum);
  named a('a'), b('b'), c('c');
  BOOST_TEST(scheduler.empty());
  for (named* each : {&a, &b, &c}) scheduler.add(*each);
  scheduler.add(a);
  BOOST_TEST(serve_many(scheduler, 9) == "abcabcabc");
  scheduler.remove(b);
  scheduler.remove(b);
  BOOST_TEST(!b.queued());
  BOOST_TEST(serve_many(scheduler, 4) == "acac");
}

BOOST_AUTO_TEST_CASE(turns_are_of_bytes_not_of_frames) {
  smux_scheduler scheduler(quantum);
  named large('l'), small('s');
  scheduler.add(large);
  scheduler.add(small);
  for (int i = 0; i < 2000; ++i) {
    auto* const next = static_cast<named*>(scheduler.front());
    const std::size_t bytes = next == &large ? 97 : 13;
    scheduler.sent(*next, bytes);
    next->total += bytes;
  }
  const double ratio = static_cast<double>(large.total) / static_cast<double>(small.total);
  BOOST_TEST(ratio > 0.97);
  BOOST_TEST(ratio < 1.03);
}

BOOST_AUTO_TEST_CASE(prioritized_before_idle_before_the_rest) {
  smux_scheduler scheduler(quantum);
  named bulk('b'), more('m'), idle('i'), control('c');
  scheduler.add(bulk);
  scheduler.add(more);
  BOOST_TEST(serve_many(scheduler, 4) == "bmbm");
  scheduler.add(idle);
  scheduler.prioritize(control);
  scheduler.add(control);
  BOOST_TEST(serve(scheduler) == 'c');
  BOOST_TEST(serve(scheduler) == 'c');
  scheduler.remove(control);
  BOOST_TEST(serve(scheduler, 10) == 'i');
  scheduler.remove(idle);
  BOOST_TEST(serve_many(scheduler, 2) == "bm");
  scheduler.prioritize(more);
  BOOST_TEST(serve_many(scheduler, 2) == "mm");
}

BOOST_AUTO_TEST_CASE(small_messages_wait_for_one_frame_of_bulk_at_most) {
  smux_scheduler scheduler(quantum);
  std::vector<std::unique_ptr<named>> bulk;
  for (char name = 'A'; name < 'I'; ++name) scheduler.add(*bulk.emplace_back(std::make_unique<named>(name)));
  (void)serve_many(scheduler, 16);
  named small('s');
  // Far more messages than fit one quantum, one after each two frames of bulk: still none waits for a round.
  for (int i = 0; i < 1000; ++i) {
    (void)serve_many(scheduler, 2);
    scheduler.add(small);
    BOOST_REQUIRE(serve(scheduler, 5) == 's');
    scheduler.remove(small);
  }
}

BOOST_AUTO_TEST_CASE(emptying_and_filling_again_wins_no_more_than_a_share) {
  smux_scheduler scheduler(quantum);
  named a('a'), b('b'), sly('s');
  scheduler.add(a);
  scheduler.add(b);
  scheduler.add(sly);
  for (int i = 0; i < 3000; ++i) {
    if (serve(scheduler) == 's') scheduler.remove(sly);
    scheduler.add(sly);
  }
  BOOST_TEST(sly.total <= a.total + 2 * quantum);
  BOOST_TEST(sly.total + 2 * quantum >= a.total);
  // Coming back a frame later makes it no richer either.
  sly.total = a.total = 0;
  for (int i = 0; i < 3000; ++i) {
    scheduler.add(sly);
    if (serve(scheduler) == 's') {
      scheduler.remove(sly);
      (void)serve(scheduler);
    }
  }
  BOOST_TEST(sly.total <= a.total + 2 * quantum);
}

BOOST_AUTO_TEST_CASE(a_stream_of_newcomers_does_not_silence_the_rest) {
  smux_scheduler scheduler(quantum);
  named bulk('b');
  scheduler.add(bulk);
  (void)serve_many(scheduler, 2);
  bulk.total = 0;
  std::vector<std::unique_ptr<named>> newcomers;
  for (int i = 0; i < 900; ++i) {
    scheduler.add(*newcomers.emplace_back(std::make_unique<named>('n')));
    auto* const next = static_cast<named*>(scheduler.front());
    scheduler.sent(*next, quantum);
    next->total += quantum;
    if (next->name == 'n') scheduler.remove(*next);
  }
  BOOST_TEST(bulk.total >= 95 * quantum);
}

BOOST_AUTO_TEST_CASE(a_destroyed_entry_is_gone) {
  smux_scheduler scheduler(quantum);
  named a('a');
  scheduler.add(a);
  {
    named b('b');
    scheduler.add(b);
    BOOST_TEST(serve_many(scheduler, 4) == "abab");
  }
  BOOST_TEST(serve_many(scheduler, 3) == "aaa");
  scheduler.remove(a);
  BOOST_TEST(scheduler.empty());
  BOOST_TEST(serve(scheduler) == '-');
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
