#include "gotunnel/wire/smux_core.hpp"

#include "support/scripted_source.hpp"
#include "support/smux_text.hpp"

#include <boost/test/unit_test.hpp>

namespace gotunnel::wire {
namespace {

using testing::frame;
using testing::play;
using testing::rst;
using testing::said;
using testing::scripted_source;
using testing::sent;
using testing::start;
using testing::update;
using command = smux_command;

constexpr smux_config plain{.role = smux_role::server};
constexpr smux_config gotunnel{.role = smux_role::server, .resets = true};

BOOST_AUTO_TEST_SUITE(smux_core_test)

struct script {
  const char* name;
  smux_config config;
  std::string bytes;
  std::string events;
};

// Whatever the pieces: a carrier may deliver any number of bytes at a time.
BOOST_AUTO_TEST_CASE(scripts_read_the_same_in_any_pieces) {
  const std::string hello = frame(command::syn, 3) + frame(command::psh, 3, "hello");
  const std::string broken = make_error_code(errc::broken_frame).message();
  const std::string flow = make_error_code(errc::flow_control).message();
  smux_config one = plain;
  one.version = 1;
  const std::vector<script> scripts{
      {"captured", plain,
       testing::unhex("0200000003000000 020205000300000068656c6c6f 0203000000000000 0201000003000000"),
       "opened 3, data 3 hello, finished 3"},
      {"version 1", one, frame(command::syn, 3, {}, 1) + frame(command::psh, 3, "x", 1),
       "opened 3, data 3 x"},
      {"unknown ids", plain,
       frame(command::psh, 9, "lost") + frame(command::fin, 9) + update(9, 1, 2) +
           frame(command::psh, 0, "x") + hello,
       "opened 3, data 3 hello"},
      {"any parity", plain, frame(command::syn, 2) + frame(command::syn, 5), "opened 2, opened 5"},
      {"duplicate SYN", plain, hello + frame(command::syn, 3) + frame(command::psh, 3, "!"),
       "opened 3, data 3 hello!"},
      {"empty PSH", plain, frame(command::syn, 3) + frame(command::psh, 3) + frame(command::fin, 3),
       "opened 3, finished 3"},
      {"two FINs", plain, hello + frame(command::fin, 3) + frame(command::fin, 3),
       "opened 3, data 3 hello, finished 3"},
      {"interleaved", plain,
       frame(command::syn, 3) + frame(command::syn, 5) + frame(command::psh, 3, "a") +
           frame(command::psh, 5, "b") + frame(command::psh, 3, "c"),
       "opened 3, opened 5, data 3 a, data 5 b, data 3 c"},
      {"reset", gotunnel, hello + rst(3, 1) + frame(command::psh, 3, "lost") + rst(3, 1) + rst(9, 0),
       "opened 3, data 3 hello, reset 3 1"},
      {"reset of unknown reason", gotunnel, hello + rst(3, 77), "opened 3, data 3 hello, reset 3 0"},
      {"id 0", plain, frame(command::syn, 0), "! " + broken},
      {"wrong version", plain, frame(command::syn, 3, {}, 1), "! " + broken},
      {"data after FIN", gotunnel, hello + frame(command::fin, 3) + frame(command::psh, 3, "x"),
       "opened 3, data 3 hello, finished 3, ! " + broken},
      {"data that a FIN overtook", plain,
       hello + frame(command::fin, 3) + frame(command::psh, 3, "late") + frame(command::syn, 5),
       "opened 3, data 3 hello, finished 3, opened 5"},
      {"read more than sent", plain, hello + update(3, 1, 65536), "opened 3, data 3 hello, ! " + flow},
  };
  for (const script& each : scripts) {
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{9}, each.bytes.size()}) {
      smux_core core(each.config, start);
      BOOST_TEST(play(core, each.bytes, piece) == each.events,
                 each.name << " in pieces of " << piece << ": " << each.events);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_error_is_the_last_word) {
  smux_core core(plain, start);
  (void)play(core, frame(command::syn, 0));
  BOOST_TEST(core.poll().error() == make_error_code(errc::broken_frame));
  BOOST_TEST(core.tick(start).error() == make_error_code(errc::broken_frame));
}

BOOST_AUTO_TEST_CASE(ids_begin_at_three_and_two) {
  smux_core client({.role = smux_role::client}, start);
  smux_core server({.role = smux_role::server}, start);
  BOOST_TEST(client.open().value() == 3u);
  BOOST_TEST(client.open().value() == 5u);
  BOOST_TEST(server.open().value() == 2u);
  BOOST_TEST(play(client, frame(command::syn, 7)) == "opened 7");
  BOOST_TEST(client.open().value() == 9u);
}

BOOST_AUTO_TEST_CASE(what_is_submitted_goes_out_as_smux_sends_it) {
  smux_core core({.role = smux_role::client}, start);
  const stream_id id = core.open().value();
  BOOST_TEST(core.wants_transmit());
  BOOST_TEST(core.submit(id, as_bytes("hello")).has_value());
  core.finish(id);
  std::vector<std::byte> out(100);
  const std::size_t filled = core.transmit(out, start);
  BOOST_TEST(to_hex(bytes_view{out}.first(filled)) == "0200000003000000"
                                                      "020205000300000068656c6c6f"
                                                      "0201000003000000");
  BOOST_TEST(sent(core) == "3");
  BOOST_TEST(sent(core) == "");
  BOOST_TEST(!core.wants_transmit());
  BOOST_TEST(said(core) == "");
}

BOOST_AUTO_TEST_CASE(control_overtakes_data_and_fin_does_not) {
  smux_core core({.role = smux_role::server, .resets = true}, start);
  BOOST_TEST(play(core, frame(command::syn, 3) + frame(command::syn, 5)) == "opened 3, opened 5");
  const std::string bulk(3000, 'x');
  BOOST_TEST(core.submit(3, as_bytes(bulk)).has_value());
  core.finish(3);
  BOOST_TEST(said(core, 1000) == "PSH 3 (992)");
  core.reset(5, smux_reset_reason::unreachable);
  BOOST_TEST(core.open().value() == 2u);
  BOOST_TEST(said(core) == "RST 5 1, SYN 2, PSH 3 (2008), FIN 3");
  BOOST_TEST(sent(core) == "3");
}

BOOST_AUTO_TEST_CASE(data_never_precedes_its_syn) {
  smux_core core({.role = smux_role::client}, start);
  const std::string text(100, 'x');
  for (int i = 0; i < 20; ++i) BOOST_TEST(core.submit(core.open().value(), as_bytes(text)).has_value());
  BOOST_TEST(said(core, 64) == "SYN 3, SYN 5, SYN 7, SYN 9, SYN 11, SYN 13, SYN 15, SYN 17");
  BOOST_TEST(said(core, 64) == "SYN 19, SYN 21, SYN 23, SYN 25, SYN 27, SYN 29, SYN 31, SYN 33");
  BOOST_TEST(said(core, 64) == "SYN 35, SYN 37, SYN 39, SYN 41");
  BOOST_TEST(said(core, 64) == "PSH 3 (56)");
}

BOOST_AUTO_TEST_CASE(the_end_of_a_buffer_gets_no_crumbs) {
  smux_core core({.role = smux_role::client}, start);
  const std::string text(1000, 'x');
  const stream_id first = core.open().value();
  const stream_id second = core.open().value();
  BOOST_TEST(core.submit(first, as_bytes(text)).has_value());
  BOOST_TEST(core.submit(second, as_bytes(text)).has_value());
  BOOST_TEST(said(core, 16 + 1008 + 255) == "SYN 3, SYN 5, PSH 3 (1000)");
  BOOST_TEST(said(core, 300) == "PSH 5 (292)");
  BOOST_TEST(said(core, 64) == "PSH 5 (56)");
  BOOST_TEST(said(core) == "PSH 5 (652)");
}

BOOST_AUTO_TEST_CASE(a_frame_is_no_longer_than_it_may_be) {
  smux_core core({.role = smux_role::client, .max_frame = 600}, start);
  const std::string text(1500, 'x');
  BOOST_TEST(core.submit(core.open().value(), as_bytes(text)).has_value());
  BOOST_TEST(said(core) == "SYN 3, PSH 3 (600), PSH 3 (600), PSH 3 (300)");
}

BOOST_AUTO_TEST_CASE(a_stream_ends_when_both_sides_finished_and_all_is_read) {
  smux_core core(plain, start);
  BOOST_TEST(play(core, frame(command::syn, 3) + frame(command::psh, 3, "hello") + frame(command::fin, 3)) ==
             "opened 3, data 3 hello, finished 3");
  BOOST_TEST(core.submit(3, as_bytes("bye")).has_value());
  core.finish(3);
  BOOST_TEST(core.submit(3, as_bytes("more")).error() == make_error_code(errc::closed));
  BOOST_TEST(said(core) == "PSH 3 bye, FIN 3");
  BOOST_TEST(core.alive(3));
  BOOST_TEST(core.buffered() == 5u);
  core.consumed(3, 5, start);
  BOOST_TEST(!core.alive(3));
  BOOST_TEST(core.buffered() == 0u);
  BOOST_TEST(core.stream_count() == 0u);
  BOOST_TEST(sent(core) == "3");
  BOOST_TEST(core.submit(3, as_bytes("more")).error() == make_error_code(errc::reset));
}

BOOST_AUTO_TEST_CASE(half_close_leaves_the_other_direction_open) {
  smux_core core({.role = smux_role::client}, start);
  const stream_id id = core.open().value();
  core.finish(id);
  BOOST_TEST(said(core) == "SYN 3, FIN 3");
  BOOST_TEST(play(core, frame(command::psh, 3, "still")) == "data 3 still");
  core.consumed(id, 5, start);
  BOOST_TEST(core.alive(id));
  BOOST_TEST(play(core, frame(command::fin, 3)) == "finished 3");
  BOOST_TEST(!core.alive(id));
}

BOOST_AUTO_TEST_CASE(after_a_reset_nothing_more_is_reported) {
  smux_core core(gotunnel, start);
  (void)play(core, frame(command::syn, 3));
  const std::string later =
      frame(command::psh, 3, "one") + frame(command::psh, 3, "two") + frame(command::fin, 3);
  core.feed(as_bytes(later), start);
  const auto first = core.poll().value();
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST(as_text(first->bytes) == "one");
  core.reset(3, smux_reset_reason::not_read);
  BOOST_TEST(!core.poll().value().has_value());
  BOOST_TEST(core.buffered() == 0u);
  BOOST_TEST(said(core) == "RST 3 3");
  // In the middle of a frame just as well.
  (void)play(core, frame(command::syn, 5) + frame(command::psh, 5, "abcdef").substr(0, 10));
  core.reset(5);
  BOOST_TEST(play(core, "cdef" + frame(command::syn, 7)) == "opened 7");
}

BOOST_AUTO_TEST_CASE(towards_plain_smux_a_reset_is_a_fin) {
  smux_core core(plain, start);
  (void)play(core, frame(command::syn, 3) + frame(command::syn, 5));
  core.reset(3);
  core.finish(5);
  BOOST_TEST(said(core) == "FIN 3, FIN 5");
  core.reset(5); // its FIN is out already
  BOOST_TEST(said(core) == "");
  BOOST_TEST(core.stream_count() == 0u);
}

BOOST_AUTO_TEST_CASE(a_stream_reset_before_its_syn_was_never_there) {
  smux_core core({.role = smux_role::client, .resets = true}, start);
  const stream_id id = core.open().value();
  BOOST_TEST(core.submit(id, as_bytes("x")).has_value());
  core.reset(id);
  BOOST_TEST(!core.wants_transmit());
  BOOST_TEST(said(core) == "");
}

BOOST_AUTO_TEST_CASE(an_offer_can_be_taken_back) {
  smux_core core({.role = smux_role::client}, start);
  const stream_id id = core.open().value();
  const std::string text(1000, 'x');
  BOOST_TEST(core.submit(id, as_bytes(text)).has_value());
  BOOST_TEST(said(core, 508) == "SYN 3, PSH 3 (492)");
  core.withdraw(id);
  BOOST_TEST(said(core) == "");
  BOOST_TEST(core.submit(id, as_bytes("new")).has_value());
  BOOST_TEST(said(core) == "PSH 3 new");
  core.withdraw(id); // went out whole: nothing is left to tell either
  BOOST_TEST(sent(core) == "");
}

BOOST_AUTO_TEST_CASE(a_source_is_asked_when_it_is_its_turn) {
  smux_core core(gotunnel, start);
  BOOST_TEST(play(core, frame(command::syn, 3)) == "opened 3");
  scripted_source source;
  for (const std::string text : {"hello", "", "again"}) {
    BOOST_TEST(core.submit(3, source).has_value());
    BOOST_TEST(core.wants_transmit());
    BOOST_TEST(source.rooms.empty());
    if (!text.empty()) source.add(text); // what comes before its turn goes along
    BOOST_TEST(said(core) == (text.empty() ? "" : "PSH 3 " + text));
    BOOST_TEST(sent(core) == "3");
    BOOST_TEST(source.rooms.size() == 1U);
    source.rooms.clear();
    BOOST_TEST(!core.wants_transmit());
  }
}

BOOST_AUTO_TEST_CASE(behind_the_last_bytes_of_a_source_goes_the_fin) {
  for (const std::string text : {"bye", ""}) {
    smux_core core(gotunnel, start);
    BOOST_TEST(play(core, frame(command::syn, 3)) == "opened 3");
    scripted_source source;
    source.end(text);
    BOOST_TEST(core.submit(3, source).has_value());
    BOOST_TEST(said(core) == (text.empty() ? "FIN 3" : "PSH 3 bye, FIN 3"));
    BOOST_TEST(sent(core) == "3");
    BOOST_TEST((core.submit(3, source).error() == errc::closed));
  }
}

BOOST_AUTO_TEST_CASE(a_source_gives_64_kib_at_a_time_in_frames_of_their_size) {
  const auto per_element = boost::test_tools::per_element();
  using sizes = std::vector<std::size_t>;
  smux_config config = gotunnel;
  config.max_frame = 30'000;
  smux_core core(config, start);
  BOOST_TEST(play(core, frame(command::syn, 3)) == "opened 3");
  scripted_source source;
  source.add(std::string(1 << 20, 'x'));
  std::vector<std::byte> out(200'000);
  const auto ask = [&](std::size_t room) {
    source.rooms.clear();
    return core.transmit(bytes_span(out).first(room), start);
  };
  BOOST_TEST(core.submit(3, source).has_value());
  BOOST_TEST(ask(200'000) == 65'528U + 3 * smux_header::size);
  BOOST_TEST(source.rooms == (sizes{30'000, 30'000, 5'528}), per_element);
  BOOST_TEST(sent(core) == "3");

  // What ends with the buffer goes on in the next.
  BOOST_TEST(core.submit(3, source).has_value());
  BOOST_TEST(ask(600) == 600U);
  BOOST_TEST(source.rooms == sizes{592}, per_element);
  BOOST_TEST(sent(core) == "");
  BOOST_TEST(ask(200'000) == 65'528U - 592U + 3 * smux_header::size);
  BOOST_TEST(source.rooms == (sizes{30'000, 30'000, 4'936}), per_element);
  BOOST_TEST(sent(core) == "3");
}

BOOST_AUTO_TEST_CASE(a_source_is_asked_within_the_window) {
  smux_core core(gotunnel, start);
  BOOST_TEST(play(core, frame(command::syn, 3)) == "opened 3");
  scripted_source source;
  source.add(std::string(1 << 20, 'x'));
  std::vector<std::byte> out(300'000);
  for (std::size_t left = 256 * 1024; left > 0; left -= std::min<std::size_t>(left, 65'528)) {
    BOOST_TEST(core.has_window(3));
    BOOST_TEST(core.submit(3, source).has_value());
    (void)core.transmit(out, start);
    BOOST_TEST(sent(core) == "3");
  }
  BOOST_TEST(!core.has_window(3));
  source.rooms.clear();
  BOOST_TEST(core.submit(3, source).has_value());
  BOOST_TEST(core.transmit(out, start) == 0U);
  BOOST_TEST(source.rooms.empty());
  BOOST_TEST(play(core, update(3, 1000, 256 * 1024)) == "");
  BOOST_TEST(core.transmit(out, start) == 1008U);
  BOOST_TEST(sent(core) == "3");
}

BOOST_AUTO_TEST_CASE(a_source_that_is_taken_back_is_not_asked) {
  for (const bool reset : {false, true}) {
    smux_core core(gotunnel, start);
    BOOST_TEST(play(core, frame(command::syn, 3)) == "opened 3");
    scripted_source source;
    source.add("hello");
    BOOST_TEST(core.submit(3, source).has_value());
    if (reset)
      core.reset(3);
    else
      core.withdraw(3);
    BOOST_TEST(said(core) == (reset ? "RST 3 0" : ""));
    BOOST_TEST(source.rooms.empty());
    BOOST_TEST(sent(core) == "");
  }
}

BOOST_AUTO_TEST_CASE(the_prioritized_stream_goes_first) {
  smux_core core({.role = smux_role::client, .max_frame = 500}, start);
  const std::string text(1000, 'x');
  for (int i = 0; i < 3; ++i) BOOST_TEST(core.submit(core.open().value(), as_bytes(text)).has_value());
  core.prioritize(7);
  BOOST_TEST(said(core, 24 + 3 * 508) == "SYN 3, SYN 5, SYN 7, PSH 7 (500), PSH 7 (500), PSH 3 (500)");
}

BOOST_AUTO_TEST_CASE(calls_on_ids_that_are_gone_are_ignored) {
  smux_core core(plain, start);
  core.withdraw(3);
  core.finish(3);
  core.reset(3);
  core.consumed(3, 5, start);
  core.prioritize(3);
  BOOST_TEST(!core.alive(3));
  BOOST_TEST(!core.wants_transmit());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace gotunnel::wire
