// Windows, rates, ids and keepalive of a session.
#include "gotunnel/wire/smux_core.hpp"

#include "support/allocation_counter.hpp"
#include "support/smux_text.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

using testing::frame;
using testing::play;
using testing::said;
using testing::sent;
using testing::start;
using testing::update;
using command = smux_command;

constexpr std::size_t kib = 1024;

/// `count` bytes of data for `id` in frames of 32 KiB at most.
std::string data(stream_id id, std::size_t count) {
  std::string frames;
  for (; count > 0; count -= std::min(count, 32 * kib))
    frames += frame(command::psh, id, std::string(std::min(count, 32 * kib), 'x'));
  return frames;
}

/// Feeds without printing; the error, if it came to one.
error_code swallow(smux_core& core, std::string_view bytes, time_point now = start) {
  core.feed(as_bytes(bytes), now);
  for (;;) {
    const auto polled = core.poll();
    if (!polled) return polled.error();
    if (!*polled) return {};
  }
}

BOOST_AUTO_TEST_SUITE(smux_core_limits_test)

BOOST_AUTO_TEST_CASE(windows_grow_with_the_round_trip_and_within_half_of_the_memory) {
  smux_core core({.role = smux_role::server, .memory_budget = 2048 * kib}, start);
  core.set_round_trip(100ms);
  (void)play(core, frame(command::syn, 3) + frame(command::syn, 5));
  const auto drain_half = [&](stream_id id, std::size_t half) {
    BOOST_TEST(!swallow(core, data(id, half)));
    core.consumed(id, half, start);
    return said(core);
  };
  BOOST_TEST(drain_half(3, 128 * kib) == "UPD 3 131072/524288");
  BOOST_TEST(drain_half(3, 256 * kib) == "UPD 3 393216/1048576");
  // 768 KiB of growth are taken and 1 MiB is all there is.
  BOOST_TEST(drain_half(5, 128 * kib) == "UPD 5 131072/524288");
  BOOST_TEST(drain_half(5, 256 * kib) == "UPD 5 393216/524288");
  // A stream that ends gives its growth back.
  core.reset(3);
  BOOST_TEST(said(core) == "FIN 3");
  BOOST_TEST(drain_half(5, 256 * kib) == "UPD 5 655360/1048576");
}

BOOST_AUTO_TEST_CASE(updates_of_a_stream_are_one_update) {
  smux_core core({.role = smux_role::server, .max_window = 256 * kib}, start);
  (void)play(core, frame(command::syn, 3));
  BOOST_TEST(!swallow(core, data(3, 256 * kib)));
  for (int i = 0; i < 256; ++i) core.consumed(3, kib, start);
  BOOST_TEST(said(core) == "UPD 3 262144/262144");
}

BOOST_AUTO_TEST_CASE(a_peer_that_has_finished_is_told_no_window) {
  smux_core core({.role = smux_role::server}, start);
  (void)play(core, frame(command::syn, 3));
  BOOST_TEST(!swallow(core, data(3, 256 * kib)));
  core.consumed(3, 200 * kib, start);
  (void)play(core, frame(command::fin, 3));
  core.consumed(3, 56 * kib, start);
  BOOST_TEST(said(core) == "");
}

BOOST_AUTO_TEST_CASE(ids_end_at_the_last_one) {
  smux_core core({.role = smux_role::server, .last_id = 5}, start);
  BOOST_TEST(core.ids_left() == 2U);
  BOOST_TEST(core.open().value() == 2U);
  BOOST_TEST(core.open().value() == 4U);
  BOOST_TEST(core.ids_left() == 0U);
  BOOST_TEST((core.open().error() == errc::ids_used_up));
  smux_core whole({.role = smux_role::client}, start);
  BOOST_TEST(whole.ids_left() == (std::uint64_t{1} << 31) - 1);
}

BOOST_AUTO_TEST_CASE(data_beyond_the_window_is_a_flow_violation_from_its_header_on) {
  smux_core core({.role = smux_role::server}, start);
  (void)play(core, frame(command::syn, 3));
  BOOST_TEST(!swallow(core, data(3, 256 * kib)));
  BOOST_TEST(swallow(core, data(3, 1).substr(0, 8)) == make_error_code(errc::flow_control));
}

BOOST_AUTO_TEST_CASE(the_peers_window_holds_us_and_may_shrink_below_what_is_in_flight) {
  smux_core core({.role = smux_role::client}, start);
  const stream_id id = core.open().value();
  const std::string text(400 * kib, 'x');
  BOOST_TEST(core.submit(id, as_bytes(text)).has_value());
  BOOST_TEST(said(core) == "SYN 3, PSH 3 (32768), PSH 3 (32768), PSH 3 (32768), PSH 3 (32768), "
                           "PSH 3 (32768), PSH 3 (32768), PSH 3 (32768), PSH 3 (32768)");
  BOOST_TEST(!core.wants_transmit());
  // As a plain smux peer does after its first read: 256 KiB become 64 KiB.
  (void)play(core, update(3, 1000, 64 * kib));
  BOOST_TEST(!core.wants_transmit());
  (void)play(core, update(3, 192 * kib, 64 * kib));
  BOOST_TEST(!core.wants_transmit());
  (void)play(core, update(3, 193 * kib, 64 * kib));
  BOOST_TEST(said(core) == "PSH 3 (1024)");
  (void)play(core, update(3, 257 * kib, 1024 * kib));
  core.finish(id);
  BOOST_TEST(said(core, 200 * kib) ==
             "PSH 3 (32768), PSH 3 (32768), PSH 3 (32768), PSH 3 (32768), PSH 3 (15360), FIN 3");
  BOOST_TEST(sent(core) == "3");
}

BOOST_AUTO_TEST_CASE(version_one_sends_and_receives_without_windows) {
  smux_core core({.role = smux_role::server, .version = 1}, start);
  (void)play(core, frame(command::syn, 3, {}, 1));
  BOOST_TEST(!swallow(core, frame(command::psh, 3, std::string(60 * kib, 'x'), 1) +
                                frame(command::psh, 3, std::string(60 * kib, 'x'), 1)));
  for (int i = 0; i < 10; ++i)
    BOOST_TEST(!swallow(core, frame(command::psh, 3, std::string(60 * kib, 'x'), 1)));
  core.consumed(3, 700 * kib, start);
  BOOST_TEST(!core.wants_transmit());
  const std::string text(600 * kib, 'x');
  BOOST_TEST(core.submit(3, as_bytes(text)).has_value());
  std::vector<std::byte> out(1024 * kib);
  BOOST_TEST(core.transmit(out, start) == 600 * kib + 19 * 8);
}

BOOST_AUTO_TEST_CASE(opens_above_the_limit_are_refused) {
  smux_core core({.role = smux_role::server, .resets = true, .max_peer_streams = 2}, start);
  BOOST_TEST(play(core, frame(command::syn, 3) + frame(command::syn, 5) + frame(command::syn, 7) +
                            frame(command::psh, 7, "lost")) == "opened 3, opened 5");
  BOOST_TEST(said(core) == "RST 7 2");
  core.reset(3);
  BOOST_TEST(play(core, frame(command::syn, 9)) == "opened 9");
  // Our own do not count.
  BOOST_TEST(core.open().has_value());
  BOOST_TEST(core.stream_count() == 3u);

  smux_core plain({.role = smux_role::server, .max_peer_streams = 1}, start);
  (void)play(plain, frame(command::syn, 3) + frame(command::syn, 5));
  BOOST_TEST(said(plain) == "FIN 5");

  smux_core strict({.role = smux_role::server, .max_peer_streams = 1, .strict_opens = true}, start);
  BOOST_TEST(swallow(strict, frame(command::syn, 3) + frame(command::syn, 5)) ==
             make_error_code(errc::limit_exceeded));
}

BOOST_AUTO_TEST_CASE(opens_have_a_rate_and_a_burst) {
  smux_core core({.role = smux_role::server, .opens_per_second = 10, .opens_burst = 2}, start);
  const std::string three = frame(command::syn, 3) + frame(command::syn, 5) + frame(command::syn, 7);
  BOOST_TEST(play(core, three) == "opened 3, opened 5");
  BOOST_TEST(play(core, frame(command::syn, 9), 99, start + 99ms) == "");
  BOOST_TEST(play(core, frame(command::syn, 11), 99, start + 201ms) == "opened 11");
  BOOST_TEST(play(core, frame(command::syn, 13) + frame(command::syn, 15) + frame(command::syn, 17), 99,
                  start + 1h) == "opened 13, opened 15");
}

BOOST_AUTO_TEST_CASE(refusals_that_nobody_reads_end_the_session) {
  smux_core core({.role = smux_role::server, .max_peer_streams = 0}, start);
  for (stream_id id = 1; id <= 4096; ++id) BOOST_REQUIRE(!swallow(core, frame(command::syn, id)));
  BOOST_TEST(swallow(core, frame(command::syn, 5000)) == make_error_code(errc::limit_exceeded));

  smux_core read({.role = smux_role::server, .max_peer_streams = 0}, start);
  std::vector<std::byte> out(4096);
  for (stream_id id = 1; id <= 10000; ++id) {
    BOOST_REQUIRE(!swallow(read, frame(command::syn, id)));
    BOOST_REQUIRE(read.transmit(out, start) == 8u);
  }
}

BOOST_AUTO_TEST_CASE(resets_that_nobody_reads_end_the_session) {
  smux_core core({.role = smux_role::server, .resets = true, .max_peer_streams = 10}, start);
  error_code ended;
  stream_id id = 1;
  for (; id < 10000 && !ended; ++id) {
    ended = swallow(core, frame(command::syn, id));
    if (!ended) core.reset(id, smux_reset_reason::unreachable);
  }
  BOOST_TEST(ended == make_error_code(errc::limit_exceeded));
  BOOST_TEST(id < 4200u);
}

BOOST_AUTO_TEST_CASE(small_messages_overtake_eight_bulk_streams) {
  smux_core core({.role = smux_role::client, .version = 1}, start);
  const std::string bulk(64 * kib, 'x');
  const std::string message(64, 'm');
  for (int i = 0; i < 8; ++i) BOOST_TEST(core.submit(core.open().value(), as_bytes(bulk)).has_value());
  const stream_id small = core.open().value();
  std::vector<std::byte> out(32 * kib + smux_header::size);
  std::size_t waited = 0;
  std::size_t worst = 0;
  bool waiting = false;
  for (int i = 0; i < 5000; ++i) {
    // Newcomers have a quantum each; the bulk streams are that no longer after 16 frames.
    if (!waiting && i >= 16 && i % 2 == 0) {
      BOOST_REQUIRE(core.submit(small, as_bytes(message)).has_value());
      waiting = true;
      waited = 0;
    }
    waited += core.transmit(out, start);
    while (const auto id = core.poll_sent()) {
      if (*id == small) {
        waiting = false;
        worst = std::max(worst, waited);
      } else {
        BOOST_REQUIRE(core.submit(*id, as_bytes(bulk)).has_value());
      }
    }
  }
  BOOST_TEST(worst <= out.size());
}

BOOST_AUTO_TEST_CASE(a_nop_whenever_nothing_else_was_sent) {
  smux_core core({.role = smux_role::client, .keepalive_interval = 4s, .keepalive_timeout = 12s}, start);
  BOOST_TEST((core.deadline() == start + 4s));
  BOOST_TEST(core.tick(start + 3s).has_value());
  BOOST_TEST(!core.wants_transmit());
  BOOST_TEST(core.tick(start + 4s).has_value());
  BOOST_TEST((core.deadline() == start + 12s));
  BOOST_TEST(said(core, 64, start + 4s) == "NOP");
  BOOST_TEST((core.deadline() == start + 8s));
  // Receiving is no reason to be silent.
  (void)play(core, frame(command::nop, 0), 99, start + 7s);
  BOOST_TEST(core.tick(start + 8s).has_value());
  BOOST_TEST(core.wants_transmit());
  // But what goes out anyway says as much.
  (void)core.open();
  BOOST_TEST(said(core, 64, start + 8s) == "SYN 3");
  BOOST_TEST(!core.wants_transmit());
}

BOOST_AUTO_TEST_CASE(a_silent_peer_ends_the_session) {
  smux_core core({.role = smux_role::client}, start);
  (void)play(core, frame(command::nop, 0), 99, start + 5s);
  BOOST_TEST(core.tick(start + 16s).has_value());
  BOOST_TEST(core.tick(start + 17s).error() == make_error_code(errc::peer_silent));
}

BOOST_AUTO_TEST_CASE(who_does_not_read_accuses_nobody_of_silence) {
  smux_core core({.role = smux_role::server, .memory_budget = 10}, start);
  (void)play(core, frame(command::syn, 3) + frame(command::psh, 3, "0123456789"));
  BOOST_TEST(core.over_budget());
  BOOST_TEST(core.tick(start + 12s).has_value());
  BOOST_TEST(core.tick(start + 24s).has_value());
  core.consumed(3, 10, start + 35s);
  BOOST_TEST(!core.over_budget());
  BOOST_TEST(core.tick(start + 36s).has_value());
  BOOST_TEST((core.deadline() <= start + 48s));
  BOOST_TEST(core.tick(start + 47s).has_value());
  BOOST_TEST(core.tick(start + 48s).error() == make_error_code(errc::peer_silent));
}

BOOST_AUTO_TEST_CASE(without_intervals_there_is_no_keepalive) {
  smux_core core({.role = smux_role::client, .keepalive_interval = 0s, .keepalive_timeout = 0s}, start);
  BOOST_TEST((core.deadline() == never));
  BOOST_TEST(core.tick(start + 1h).has_value());
  BOOST_TEST(!core.wants_transmit());
}

BOOST_AUTO_TEST_CASE(frames_allocate_nothing_once_warm) {
  smux_core left({.role = smux_role::client}, start);
  smux_core right({.role = smux_role::server}, start);
  const std::string text(100 * kib, 'x');
  std::array<stream_id, 8> ids;
  for (stream_id& id : ids) {
    id = left.open().value();
    BOOST_TEST(left.submit(id, as_bytes(text)).has_value());
  }
  std::vector<std::byte> out(64 * kib);
  std::size_t carried = 0;
  const auto round = [&] {
    const std::size_t there = left.transmit(out, start);
    while (const auto id = left.poll_sent()) (void)left.submit(*id, as_bytes(text)).has_value();
    carried += there;
    right.feed(bytes_view{out}.first(there), start);
    while (const auto event = right.poll().value())
      if (event->what == smux_event::kind::data) right.consumed(event->id, event->bytes.size(), start);
    const std::size_t back = right.transmit(out, start);
    left.feed(bytes_view{out}.first(back), start);
    while (left.poll().value()) {
    }
  };
  for (int i = 0; i < 100; ++i) round();
  carried = 0;
  const std::size_t before = testing::allocations();
  for (int i = 0; i < 2000; ++i) round();
  BOOST_TEST(testing::allocations() == before);
  BOOST_TEST(carried > 2000 * 50 * kib);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
