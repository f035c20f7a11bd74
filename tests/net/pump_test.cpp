#include "gotunnel/net/pump.hpp"

#include "support/memory_stream.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <optional>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// `left` and `right` are the far ends of the two streams that are spliced.
struct bench {
  /// `gives`: the spliced ends are sources.
  explicit bench(const net::executor& where, bool gives = false)
      : one(make_memory_pair(where)), two(make_memory_pair(where)), tasks(where, "test") {
    a().gives = b().gives = gives;
  }

  void start() { tasks.spawn("splice", splice()); }
  asio::awaitable<void> splice() {
    struct note_the_end {
      bool& ended;
      ~note_the_end() { ended = true; }
    } const note{ended};
    totals = co_await net::splice(*one.b, *two.a, patience);
  }

  net::stream& left() { return *one.a; }
  net::stream& right() { return *two.b; }
  memory_end& a() { return *one.at_b; } ///< the spliced end on the left
  memory_end& b() { return *two.at_a; }

  memory_pair one, two;
  net::task_group tasks;
  std::optional<net::pump_totals> totals;
  duration patience = net::splice_patience;
  bool ended = false;
};

asio::awaitable<void> write(net::stream& to, std::string text) {
  const auto sent = co_await to.write(as_bytes(text));
  BOOST_TEST(sent.has_value());
}

asio::awaitable<std::string> read_all(net::stream& from) {
  std::string text;
  for (;;) {
    const auto bytes = co_await from.read();
    if (!bytes) co_return text + "<" + bytes.error().message() + ">";
    if (bytes->empty()) co_return text;
    text += as_text(*bytes);
    from.consume(bytes->size());
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(pump_test)

BOOST_AUTO_TEST_CASE(an_end_becomes_a_half_close_and_the_other_direction_goes_on) {
  for (const bool left_first : {true, false}) {
    for (const bool gives : {false, true})
      run([left_first, gives](log_capture&) -> asio::awaitable<void> {
        bench on(co_await asio::this_coro::executor, gives);
        on.start();
        net::stream& first = left_first ? on.left() : on.right();
        net::stream& second = left_first ? on.right() : on.left();
        co_await write(first, "question");
        const auto shut = co_await first.shut();
        BOOST_TEST(shut.has_value());
        const std::string question = co_await read_all(second);
        BOOST_TEST(question == "question");
        BOOST_TEST(!on.ended);
        co_await write(second, "a longer answer");
        const auto shut_too = co_await second.shut();
        BOOST_TEST(shut_too.has_value());
        const std::string answer = co_await read_all(first);
        BOOST_TEST(answer == "a longer answer");
        co_await on.tasks.join();
        BOOST_REQUIRE(on.totals.has_value());
        BOOST_TEST(on.totals->a_to_b == (left_first ? 8U : 15U));
        BOOST_TEST(on.totals->b_to_a == (left_first ? 15U : 8U));
        BOOST_TEST(!on.totals->failure);
        BOOST_CHECK(on.a().closed() == net::ending::graceful);
        BOOST_CHECK(on.b().closed() == net::ending::graceful);
      });
  }
}

BOOST_AUTO_TEST_CASE(much_passes_through_little_buffers) {
  for (const bool gives : {false, true})
    run([gives](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, gives);
      for (const auto& end : {on.one.at_a, on.one.at_b, on.two.at_a, on.two.at_b}) end->capacity = 1000;
      on.a().piece = 7;
      on.start();
      std::string text(100'000, 'x');
      for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
      const auto feed = [](net::stream& to, const std::string& what) -> asio::awaitable<void> {
        co_await write(to, what);
        [[maybe_unused]] const auto shut = co_await to.shut();
      };
      on.tasks.spawn("feed", feed(on.left(), text));
      on.tasks.spawn("feed", feed(on.right(), text));
      const std::string there = co_await read_all(on.right());
      const std::string here = co_await read_all(on.left());
      BOOST_TEST((there == text));
      BOOST_TEST((here == text));
      co_await on.tasks.join();
      BOOST_TEST(on.totals.value().a_to_b == text.size());
      BOOST_TEST(on.totals.value().b_to_a == text.size());
    });
}

// Each step of each direction fails in turn; what remains must end both streams abruptly and leave nothing
// behind.
BOOST_AUTO_TEST_CASE(a_failure_at_any_step_ends_both_streams_abruptly) {
  for (const bool at_a : {true, false}) {
    for (const step which : {step::read, step::write, step::shut}) {
      for (std::size_t nth = 1; nth <= (which == step::shut ? 1U : 3U); ++nth) {
        for (const bool gives : {false, true})
          run([=](log_capture&) -> asio::awaitable<void> {
            bench on(co_await asio::this_coro::executor, gives);
            (at_a ? on.a() : on.b()).fail(which, nth, errc::broken_frame);
            on.start();
            const auto talk = [](net::stream& with) -> asio::awaitable<void> {
              for (int i = 0; i < 3; ++i) {
                const auto sent = co_await with.write(as_bytes("12345"));
                if (!sent) co_return;
                co_await yield(20);
              }
              [[maybe_unused]] const auto shut = co_await with.shut();
            };
            on.tasks.spawn("talk", talk(on.left()));
            on.tasks.spawn("talk", talk(on.right()));
            co_await on.tasks.join();
            BOOST_REQUIRE(on.totals.has_value());
            BOOST_TEST((on.totals->failure == errc::broken_frame));
            BOOST_CHECK(on.a().closed() == net::ending::abort);
            BOOST_CHECK(on.b().closed() == net::ending::abort);
          });
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(an_answer_sent_before_the_break_still_arrives) {
  for (const bool gives : {false, true})
    run([gives](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, gives);
      on.b().fail(step::write, 1, errc::reset);
      on.start();
      co_await write(on.left(), "a request that is refused halfway");
      co_await yield(20);
      BOOST_TEST(!on.ended);
      co_await write(on.right(), "413");
      const auto shut = co_await on.right().shut();
      BOOST_TEST(shut.has_value());
      const std::string answer = co_await read_all(on.left());
      BOOST_TEST(answer.starts_with("413"));
      co_await on.tasks.join();
      BOOST_TEST((on.totals.value().failure == errc::reset));
    });
}

BOOST_AUTO_TEST_CASE(a_reset_of_one_side_resets_the_other_at_once) {
  for (const bool gives : {false, true})
    run([gives](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, gives);
      on.start();
      on.left().close(net::ending::abort);
      const std::string seen = co_await read_all(on.right());
      BOOST_TEST(seen == "<reset by the peer>");
      co_await on.tasks.join();
      BOOST_TEST((on.totals.value().failure == errc::reset));
    });
}

// A visitor that does not read must not keep a stream that has failed, nor itself.
BOOST_AUTO_TEST_CASE(a_failure_does_not_wait_for_a_reader_that_does_not_read) {
  for (const bool gives : {false, true})
    run([gives](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, gives);
      on.patience = 50ms;
      on.one.at_a->capacity = 1000; // the far left end takes no more
      on.start();
      const std::string text(5000, 'x');
      co_await write(on.right(), text);
      co_await yield(20);
      on.b().break_off(errc::not_read);
      co_await yield(20);
      BOOST_TEST(!on.ended);
      co_await on.tasks.join();
      BOOST_TEST_REQUIRE(on.totals.has_value());
      BOOST_TEST(static_cast<bool>(on.totals->failure));
      BOOST_CHECK(on.a().closed() == net::ending::abort);
      BOOST_CHECK(on.b().closed() == net::ending::abort);
    });
}

// An echo whose answers nobody reads fills both directions; then the visitor is gone.
BOOST_AUTO_TEST_CASE(who_cannot_be_written_any_more_does_not_wait_for_the_other) {
  for (const bool gives : {false, true})
    run([gives](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, gives);
      on.patience = 50ms;
      on.b().stall(step::write);
      on.a().fail(step::write, 1, errc::reset);
      on.start();
      co_await write(on.left(), "not taken");
      co_await yield(20);
      co_await write(on.right(), "not written");
      co_await yield(20);
      BOOST_TEST(!on.ended);
      co_await on.tasks.join();
      BOOST_TEST_REQUIRE(on.totals.has_value());
      BOOST_TEST((on.totals->failure == errc::reset));
      BOOST_CHECK(on.a().closed() == net::ending::abort);
      BOOST_CHECK(on.b().closed() == net::ending::abort);
    });
}

BOOST_AUTO_TEST_CASE(a_slow_reader_still_gets_what_came_before_the_failure) {
  for (const bool gives : {false, true})
    run([gives](log_capture&) -> asio::awaitable<void> {
      bench on(co_await asio::this_coro::executor, gives);
      on.patience = 100ms;
      on.b().piece = 1000;
      on.one.at_a->capacity = 1000;
      on.start();
      const std::string text(6000, 'x');
      co_await write(on.right(), text);
      co_await yield(20);
      on.b().break_off(errc::reset);
      std::size_t got = 0;
      while (got < text.size()) {
        co_await pause(40ms); // each step within its patience, all of them far beyond
        const auto bytes = co_await on.left().read();
        BOOST_TEST_REQUIRE((bytes.has_value() && !bytes->empty()));
        got += bytes->size();
        on.left().consume(bytes->size());
      }
      BOOST_TEST(got == text.size());
      co_await on.tasks.join();
      BOOST_TEST((on.totals.value().failure == errc::reset));
    });
}

// Where a cancelled operation ends by value, by exception, and while only one direction is left.
BOOST_AUTO_TEST_CASE(cancelled_in_any_state_it_ends_and_leaves_no_task) {
  enum class state { idle, writing_forth, writing_back, half_closed, half_closed_writing };
  for (const state in : {state::idle, state::writing_forth, state::writing_back, state::half_closed,
                         state::half_closed_writing}) {
    for (const bool gives : {false, true})
      run([in, gives](log_capture&) -> asio::awaitable<void> {
        bench on(co_await asio::this_coro::executor, gives);
        on.start();
        if (in == state::writing_forth) {
          on.b().stall(step::write);
          co_await write(on.left(), "stuck");
        }
        if (in == state::half_closed || in == state::half_closed_writing) {
          const auto shut = co_await on.left().shut();
          BOOST_TEST(shut.has_value());
        }
        if (in == state::writing_back || in == state::half_closed_writing) {
          on.a().stall(step::write);
          co_await write(on.right(), "stuck");
        }
        co_await yield(20);
        BOOST_TEST(!on.ended);
        on.tasks.cancel();
        co_await on.tasks.join();
        BOOST_TEST(on.ended);
        BOOST_TEST(!on.totals.has_value());
        BOOST_CHECK(on.a().closed() == net::ending::abort);
        BOOST_CHECK(on.b().closed() == net::ending::abort);
      });
  }
}

BOOST_AUTO_TEST_SUITE_END()
