// The memory of a session: what its streams begin with, and whom it resets when there is no more.
#include "gotunnel/wire/smux_core.hpp"

#include "support/smux_text.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

using testing::frame;
using testing::play;
using testing::said;
using testing::start;
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

BOOST_AUTO_TEST_SUITE(smux_core_memory_test)

BOOST_AUTO_TEST_CASE(the_process_may_lend_less_memory_than_the_session_has) {
  smux_core core({.role = smux_role::server, .memory_budget = 1024 * kib}, start);
  (void)play(core, frame(command::syn, 3) + frame(command::syn, 5));
  BOOST_TEST(!swallow(core, data(3, 130 * kib)));
  BOOST_TEST(!core.over_budget());
  core.set_memory(130 * kib, false);
  BOOST_TEST(core.over_budget());
  core.set_memory(2048 * kib, false);
  BOOST_TEST(!core.over_budget());
  core.consumed(3, 130 * kib, start);
  BOOST_TEST(said(core).starts_with("UPD 3 133120/"));
  // Tight for all: small windows, though this session has nothing waiting.
  core.set_memory(2048 * kib, true);
  BOOST_TEST(!swallow(core, data(5, 128 * kib)));
  core.consumed(5, 128 * kib, start);
  BOOST_TEST(said(core) == "UPD 5 131072/65536");
}

BOOST_AUTO_TEST_CASE(who_has_waited_longest_is_named_first_and_only_as_many_as_it_takes) {
  smux_core core({.role = smux_role::server, .memory_budget = 400 * kib, .not_read_after = 100ms}, start);
  const auto not_read = [&core](duration after) {
    std::string ids;
    for (const stream_id id : core.not_read(start + after)) ids += std::to_string(id) + " ";
    return ids;
  };
  for (const stream_id id : {3U, 5U, 7U, 9U}) (void)play(core, frame(command::syn, id));
  BOOST_TEST(!swallow(core, data(3, 60 * kib), start));
  BOOST_TEST(!swallow(core, data(5, 120 * kib), start + 1s));
  BOOST_TEST(!swallow(core, data(7, 100 * kib), start + 2s));
  BOOST_TEST(not_read(60s) == ""); // 280 of 400
  BOOST_TEST(!swallow(core, data(9, 120 * kib), start + 60s));
  BOOST_TEST(core.over_budget());
  BOOST_TEST(not_read(60s) == "3 5 "); // 400 - 60 are not yet below 300
  core.consumed(3, 1, start + 60s);    // 3 is slow, but it reads
  core.consumed(5, 1, start + 60s);
  BOOST_TEST(!swallow(core, data(3, 1), start + 60s));
  BOOST_TEST(!swallow(core, data(5, 1), start + 60s));
  BOOST_TEST(not_read(60s) == "7 ");
  core.consumed(7, 1, start + 60s);
  BOOST_TEST(!swallow(core, data(7, 1), start + 60s));
  BOOST_TEST(not_read(60'099ms) == ""); // everybody reads
  BOOST_TEST(not_read(60'100ms) == "3 5 ");
  for (const stream_id id : {3U, 5U}) core.reset(id, smux_reset_reason::not_read);
  BOOST_TEST(core.buffered() == 220 * kib);
  BOOST_TEST(not_read(70s) == "");
}

BOOST_AUTO_TEST_CASE(who_has_read_much_is_named_after_those_who_have_not) {
  smux_core core({.role = smux_role::server, .memory_budget = 400 * kib}, start);
  for (const stream_id id : {3U, 5U}) (void)play(core, frame(command::syn, id));
  for (int i = 0; i < 160; ++i) {
    BOOST_TEST(!swallow(core, data(3, 128 * kib), start));
    core.consumed(3, 128 * kib, start);
    (void)said(core);
  }
  BOOST_TEST(!swallow(core, data(3, 150 * kib), start));
  BOOST_TEST(!swallow(core, data(5, 250 * kib), start + 5s));
  const auto named = core.not_read(start + 10s);
  BOOST_TEST(named == std::vector<stream_id>{5}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(among_many_streams_a_stream_begins_with_its_share) {
  smux_core core({.role = smux_role::server, .memory_budget = 2048 * kib}, start);
  for (int i = 0; i < 4; ++i) (void)core.open();
  BOOST_TEST(said(core) == "SYN 2, SYN 4, SYN 6, SYN 8");
  // A fifth of half of the memory, and so on.
  (void)core.open();
  BOOST_TEST(said(core) == "SYN 10, UPD 10 0/209715");
  BOOST_TEST(play(core, frame(command::syn, 3)) == "opened 3");
  BOOST_TEST(said(core) == "UPD 3 0/174762");
  // What the peer sends meanwhile is no violation, and the next UPD follows what is drained.
  BOOST_TEST(!swallow(core, data(3, 256 * kib)));
  core.consumed(3, 87'380, start);
  BOOST_TEST(said(core) == "");
  core.consumed(3, 1, start);
  BOOST_TEST(said(core).starts_with("UPD 3 87381/"));
  // While memory is tight even less, but something.
  core.set_memory(2048 * kib, true);
  (void)core.open();
  BOOST_TEST(said(core) == "SYN 12, UPD 12 0/16384");
  core.set_memory(1, true);
  (void)core.open();
  BOOST_TEST(said(core) == "SYN 14, UPD 14 0/4096");
  // Version 1 has no windows.
  smux_core plain({.role = smux_role::server, .version = 1, .memory_budget = 1}, start);
  (void)plain.open();
  BOOST_TEST(said(plain) == "SYN 2");
}

BOOST_AUTO_TEST_CASE(tight_memory_shrinks_windows_and_accuses_nobody) {
  smux_core core({.role = smux_role::server, .memory_budget = 256 * kib}, start);
  (void)play(core, frame(command::syn, 3) + frame(command::syn, 5));
  BOOST_TEST(said(core) == "UPD 3 0/65536, UPD 5 0/65536");
  BOOST_TEST(!swallow(core, data(3, 130 * kib)));
  BOOST_TEST(!swallow(core, data(5, 128 * kib)));
  BOOST_TEST(core.over_budget());
  core.consumed(5, 128 * kib, start);
  BOOST_TEST(!core.over_budget());
  BOOST_TEST(said(core) == "UPD 5 131072/65536");
  BOOST_TEST(!swallow(core, data(5, 128 * kib)));
  BOOST_TEST(swallow(core, data(5, 1)) == make_error_code(errc::flow_control));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
