#include "gotunnel/wire/resume.hpp"

#include "support/smux_pair.hpp"
#include "support/smux_text.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

namespace gotunnel::wire {
namespace {

using testing::frame;
using testing::play;
using testing::start;
using command = smux_command;

constexpr smux_config resumable{.role = smux_role::client, .resets = true, .resumable = true};

std::string ack(std::uint64_t count, stream_id ask = 0) {
  std::array<std::byte, 8> payload;
  store_le64(payload, count);
  return frame(command::ack, ask, as_text(payload));
}

/// A core, what it sends, and one stream of it.
struct sender {
  explicit sender(std::size_t limit = resume::default_limit, bool keep = true)
      : core(resumable, start), out(core, keep, limit), id(core.open().value()) {}

  void offer(bytes_view bytes) { BOOST_TEST_REQUIRE(core.submit(id, bytes).has_value()); }
  std::string say(std::size_t most = sent_log::largest_batch) {
    std::string all;
    while (out.wants_write()) {
      const bytes_view bytes = out.next(start, most);
      all += as_text(bytes);
      out.wrote(bytes.size());
    }
    while (core.poll_sent()) {
    }
    return all;
  }
  std::string hear(const std::string& bytes) {
    std::string events = play(core, bytes);
    out.settle();
    return events;
  }

  smux_core core;
  resume out;
  stream_id id;
};

const std::string broken = "! " + make_error_code(errc::broken_frame).message();

BOOST_AUTO_TEST_SUITE(resume_test)

BOOST_AUTO_TEST_CASE(what_was_not_acknowledged_is_sent_once_more) {
  sender one;
  one.offer(as_bytes("hello"));
  const std::string said = one.say();
  BOOST_TEST(said == frame(command::syn, 3) + frame(command::psh, 3, "hello"));
  BOOST_TEST(one.hear(ack(8)) == "");
  BOOST_TEST(one.out.kept() == 13U);
  BOOST_TEST(!one.out.wants_write());
  BOOST_TEST(one.out.attach(11, start).has_value());
  BOOST_TEST(one.out.kept() == 10U);
  one.offer(as_bytes("!"));
  BOOST_TEST(one.say() == said.substr(11) + frame(command::psh, 3, "!"));
  BOOST_TEST(one.hear(ack(30)) == "");
  BOOST_TEST(one.out.kept() == 0U);
}

BOOST_AUTO_TEST_CASE(any_count_between_the_acknowledged_and_the_sent_is_served_and_no_other) {
  for (std::uint64_t count = 0; count < 30; ++count) {
    sender one;
    one.offer(as_bytes("hello"));
    const std::string said = one.say();
    BOOST_TEST(one.hear(ack(8)) == "");
    const bool right = count >= 8 && count <= said.size();
    BOOST_TEST(one.out.serves(count) == right);
    BOOST_TEST(one.out.attach(count, start).has_value() == right);
    if (right) BOOST_TEST(one.say() == said.substr(count));
  }
}

BOOST_AUTO_TEST_CASE(an_ack_of_bytes_that_were_never_sent_or_that_goes_back_is_an_error) {
  sender one;
  one.offer(as_bytes("hello"));
  BOOST_TEST(one.say().size() == 21U);
  BOOST_TEST(one.hear(ack(22)) == broken);
  sender other;
  other.offer(as_bytes("hello"));
  BOOST_TEST(other.say().size() == 21U);
  BOOST_TEST(other.hear(ack(9) + ack(8)) == broken);
}

BOOST_AUTO_TEST_CASE(acks_come_only_where_they_are_agreed_on) {
  smux_core plain({.role = smux_role::server, .resets = true}, start);
  BOOST_TEST(play(plain, ack(0)) == broken);
  sender one;
  BOOST_TEST(one.hear(ack(0)) == "");
  BOOST_TEST(one.say() == frame(command::syn, 3)); // an ACK alone is not answered
  BOOST_TEST(one.hear(ack(0, 1)) == "");
  BOOST_TEST(one.say() == ack(32));
}

BOOST_AUTO_TEST_CASE(the_keepalive_of_a_resumable_session_acknowledges) {
  sender one;
  BOOST_TEST(one.say() == frame(command::syn, 3));
  BOOST_TEST(one.hear(ack(8) + frame(command::nop, 0)) == "");
  BOOST_TEST(one.say() == "");
  BOOST_TEST(one.core.tick(start + 4s).has_value());
  BOOST_TEST(one.say() == ack(24, 1)); // a client's asks, too
}

BOOST_AUTO_TEST_CASE(one_question_serves_as_the_keepalive_of_both_sides) {
  smux_config serving = resumable;
  serving.role = smux_role::server;
  smux_core server(serving, start);
  smux_core client(resumable, start);
  BOOST_TEST((client.deadline() == start + 4s)); // it asks
  BOOST_TEST((server.deadline() == start + 5s)); // and has been answered by then
  BOOST_TEST(server.tick(start + 4s).has_value());
  BOOST_TEST(!server.wants_transmit());
  BOOST_TEST(client.tick(start + 4s).has_value());
  BOOST_TEST(client.wants_transmit());
  BOOST_TEST(server.tick(start + 5s).has_value()); // nobody asked: it speaks by itself
  BOOST_TEST(server.wants_transmit());
}

BOOST_AUTO_TEST_CASE(a_client_asks_often_while_something_moves_and_ever_less_often_later) {
  smux_core core(resumable, start);
  std::array<std::byte, 256> room;
  (void)core.open();
  (void)core.open(); // beside the control stream
  BOOST_TEST(core.transmit(room, start) == 16U);
  BOOST_TEST(play(core, ack(16), 99, start) == "");
  time_point now = start;
  std::vector<duration> pauses;
  for (int i = 0; i < 16; ++i) {
    const time_point due = core.deadline();
    BOOST_TEST(core.tick(due).has_value());
    BOOST_TEST(core.transmit(room, due) == 16U); // the question
    BOOST_TEST(play(core, ack(16), 99, due) == "");
    pauses.push_back(due - now);
    now = due;
  }
  BOOST_TEST((pauses.front() == 800ms));
  BOOST_TEST(std::is_sorted(pauses.begin(), pauses.end()));
  BOOST_TEST((pauses.back() == 4s));
}

BOOST_AUTO_TEST_CASE(an_agreed_keepalive_counts_at_once) {
  sender one;
  one.core.set_keepalive(60s);
  BOOST_TEST(one.say() == frame(command::syn, 3));
  BOOST_TEST(one.hear(ack(8)) == "");
  BOOST_TEST((one.core.deadline() == start + 60s));
  BOOST_TEST(one.core.tick(start + 179s).has_value());
  BOOST_TEST(one.core.tick(start + 180s).error() == make_error_code(errc::peer_silent));
}

BOOST_AUTO_TEST_CASE(what_is_being_written_is_not_given_back_whatever_the_peer_says) {
  sender one;
  one.offer(as_bytes("hello"));
  const bytes_view lent = one.out.next(start);
  const std::string content(as_text(lent));
  BOOST_TEST(one.hear(ack(lent.size())) == "");
  BOOST_TEST(one.out.kept() == content.size());
  BOOST_TEST(as_text(lent) == content);
  one.out.wrote(lent.size());
  BOOST_TEST(one.out.kept() == 0U);
}

BOOST_AUTO_TEST_CASE(at_its_limit_only_acks_leave_until_the_peer_has_acknowledged) {
  sender one(10'000);
  const std::string much(40'000, 'x');
  one.offer(as_bytes(much));
  const std::string first = one.say(6'000);
  BOOST_TEST(first.size() >= 10'000U);
  BOOST_TEST(first.size() < 10'000U + 64U);
  BOOST_TEST(one.hear(ack(0, 1)) == "");
  BOOST_TEST(one.out.wants_write());
  const std::string answer = one.say();
  BOOST_TEST(answer.starts_with(ack(16)));
  BOOST_TEST(answer.size() <= 64U);
  BOOST_TEST(!one.out.wants_write());
  BOOST_TEST(one.hear(ack(first.size())) == "");
  BOOST_TEST(one.out.wants_write());
}

BOOST_AUTO_TEST_CASE(a_peer_that_asks_for_ever_and_acknowledges_nothing_is_found_out) {
  sender one(10'000);
  const std::string much(40'000, 'x');
  one.offer(as_bytes(much));
  one.say(6'000);
  std::size_t asked = 0;
  for (; !one.out.overfull() && asked < 10'000; ++asked) {
    BOOST_TEST_REQUIRE(one.hear(ack(0, 1)) == "");
    one.say();
  }
  BOOST_TEST(asked < 10'000U);
  BOOST_TEST(one.out.kept() < 10'000U + resume::answers_limit + 2 * 64U);
}

// Batches are larger than what answers may take beyond the limit.
BOOST_AUTO_TEST_CASE(who_sends_as_much_as_may_be_kept_is_not_found_out) {
  static_assert(sent_log::largest_batch > resume::answers_limit);
  for (std::size_t limit = 2'000'000; limit < 2'000'000 + sent_log::largest_batch; limit += 20'000) {
    sender one(limit);
    const std::string much(4U << 20U, 'x');
    one.offer(as_bytes(much));
    (void)one.hear(frame(command::upd, one.id, std::string("\0\0\0\0\0\0\0\x10", 8)));
    BOOST_TEST(one.say().size() >= limit);
    BOOST_TEST(!one.out.overfull());
    BOOST_TEST(one.out.kept() < limit + 64U);
  }
}

BOOST_AUTO_TEST_CASE(the_limit_may_shrink_and_grow_again) {
  sender one;
  one.out.set_limit(0);
  const std::string much(8U << 20U, 'x');
  one.offer(as_bytes(much));
  (void)one.hear(frame(command::upd, one.id, std::string("\0\0\0\0\0\0\0\x10", 8)));
  const std::size_t few = one.say().size();
  BOOST_TEST(few >= resume::least_limit);
  BOOST_TEST(few < 2 * resume::least_limit);
  one.out.set_limit(~std::uint64_t{0});
  BOOST_TEST(one.out.wants_write());
  BOOST_TEST(!one.out.overfull());
}

// Bytes for it may wait at a server that cannot reach it.
BOOST_AUTO_TEST_CASE(a_client_asks_a_silent_server_in_time) {
  smux_config config = resumable;
  config.role = smux_role::client;
  smux_core core(config, start);
  std::vector<stream_id> streams{core.open().value()}; // the control stream alone
  std::vector<std::byte> out(1000);
  (void)core.transmit(out, start);
  (void)core.feed(as_bytes(ack(8)), start), (void)core.poll();
  BOOST_TEST((core.deadline() == start + 4s));
  streams.push_back(core.open().value());
  (void)core.transmit(out, start);
  (void)core.feed(as_bytes(ack(16)), start), (void)core.poll();
  BOOST_TEST((core.deadline() == start + 800ms));
  BOOST_TEST(core.tick(start + 800ms).has_value());
  BOOST_TEST(core.ack_due());
  BOOST_TEST(core.transmit(out, start + 800ms) == 16U);
  BOOST_TEST((core.deadline() == start + 1400ms));
  BOOST_TEST(core.tick(start + 1400ms).has_value());
  BOOST_TEST(core.take_doubt());
}

BOOST_AUTO_TEST_CASE(without_a_peer_that_acknowledges_nothing_is_kept) {
  sender one(resume::default_limit, false);
  one.offer(as_bytes("hello"));
  BOOST_TEST(one.say().size() == 21U);
  BOOST_TEST(one.out.kept() == 0U);
}

BOOST_AUTO_TEST_CASE(another_process_goes_on_where_this_one_was) {
  sender one;
  one.offer(as_bytes("hello"));
  const std::string said = one.say();
  BOOST_TEST(one.hear(ack(8) + frame(command::psh, 3, "good day").substr(0, 11)) == "data 3 goo");
  record_writer to;
  one.out.save(to);
  const std::vector<std::byte> bytes = to.take();

  sender other;
  record_reader from(bytes);
  smux_core core(resumable, start);
  resume out(core, true);
  BOOST_TEST(out.load(from).has_value());
  BOOST_TEST(from.whole());
  BOOST_TEST(core.received() == one.core.received());
  BOOST_TEST(core.unread(3) == 3U);
  BOOST_TEST(out.attach(11, start).has_value());
  BOOST_TEST(as_text(out.next(start)) == said.substr(11));
  BOOST_TEST(play(core, "d day") == "data 3 d day");
}

BOOST_AUTO_TEST_CASE(half_a_record_is_no_record) {
  sender one;
  one.offer(as_bytes("hello"));
  one.say();
  BOOST_TEST(one.hear(frame(command::psh, 3, "good day").substr(0, 5)) == "");
  record_writer to;
  one.out.save(to);
  const std::vector<std::byte> bytes = to.take();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    smux_core core(resumable, start);
    resume out(core, true);
    record_reader from(bytes_view{bytes}.first(size));
    BOOST_TEST(!out.load(from).has_value());
  }
}

// --- the search

void play_schedule(std::uint64_t seed, smux_config left, const testing::pair_options& options,
                   std::uint64_t& cuts, std::uint64_t& handovers, std::uint64_t& carried) {
  smux_config right = left;
  left.role = smux_role::client;
  right.role = smux_role::server;
  testing::smux_pair pair(left, right, seed, options);
  while (pair.step()) {
  }
  cuts += pair.cuts();
  handovers += pair.handovers();
  carried += pair.carried();
  if (!pair.verdict().empty())
    BOOST_ERROR("GOTUNNEL_RESUME_SEED=" << seed << " finds it again: " << pair.verdict());
}

/// Plays `count` schedules, or the one that the environment names.
void search(std::uint64_t first, std::uint64_t count, const smux_config& config,
            const testing::pair_options& options) {
  const char* chosen = std::getenv("GOTUNNEL_RESUME_SEED");
  if (chosen != nullptr) {
    first = std::strtoull(chosen, nullptr, 10);
    count = 1;
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(NDEBUG)
  count = count / 50 + 1;
#endif
  std::uint64_t cuts = 0;
  std::uint64_t handovers = 0;
  std::uint64_t carried = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed)
    play_schedule(seed, config, options, cuts, handovers, carried);
  BOOST_TEST_MESSAGE(count << " schedules, " << cuts << " cuts, " << handovers << " handovers, " << carried
                           << " bytes");
  BOOST_TEST((chosen != nullptr || (cuts > count && handovers > count / 2 && carried > count * 1000)));
}

BOOST_AUTO_TEST_CASE(short_lives_cut_again_and_again) {
  search(1, 90'000, {.resets = true, .resumable = true},
         {.steps = 25,
          .most_streams = 3,
          .reset_chance = 0.03,
          .delay = 4ms,
          .most_offered = 2'000,
          .open_chance = 0.4,
          .cut_chance = 0.15,
          .handover_chance = 0.3});
}

BOOST_AUTO_TEST_CASE(small_frames_and_windows) {
  search(1'000'000, 9'500, {.resets = true, .resumable = true, .max_frame = 300, .max_window = 5'000},
         {.steps = 40,
          .most_streams = 5,
          .reset_chance = 0.01,
          .most_offered = 6'000,
          .open_chance = 0.3,
          .cut_chance = 0.1,
          .handover_chance = 0.3});
}

BOOST_AUTO_TEST_CASE(long_lives_in_bulk_and_with_slow_readers) {
  search(2'000'000, 400, {.resets = true, .resumable = true, .memory_budget = 400'000},
         {.steps = 150,
          .most_streams = 8,
          .reset_chance = 0.005,
          .open_chance = 0.1,
          .cut_chance = 0.05,
          .handover_chance = 0.3});
}

BOOST_AUTO_TEST_CASE(without_resets) {
  search(3'000'000, 500, {.resumable = true},
         {.steps = 60,
          .most_streams = 4,
          .most_offered = 3'000,
          .open_chance = 0.3,
          .cut_chance = 0.1,
          .handover_chance = 0.3});
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
