#include "gotunnel/link/greeting_io.hpp"

#include "support/memory_stream.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// A stream that will yield `text`, in pieces of that size, and then ends.
asio::awaitable<memory_pair> holding(std::string text, std::size_t piece) {
  auto pair = make_memory_pair(co_await asio::this_coro::executor);
  pair.at_b->piece = piece;
  const auto sent = co_await pair.a->write(as_bytes(text));
  BOOST_TEST(sent.has_value());
  const auto shut = co_await pair.a->shut();
  BOOST_TEST(shut.has_value());
  co_return pair;
}

} // namespace

BOOST_AUTO_TEST_SUITE(greeting_io_test)

BOOST_AUTO_TEST_CASE(what_follows_the_greeting_stays_in_the_stream) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{4}, SIZE_MAX}) {
    run([piece](log_capture&) -> asio::awaitable<void> {
      auto pair = co_await holding("12345a line\nrest", piece);
      std::array<std::byte, 5> five{};
      const auto got = co_await link::read_exactly(*pair.b, five);
      BOOST_TEST(got.has_value());
      BOOST_TEST(as_text(five) == "12345");
      const auto line = co_await link::read_line(*pair.b, 100);
      BOOST_TEST(line.value() == "a line\n");
      std::array<std::byte, 4> four{};
      const auto rest = co_await link::read_exactly(*pair.b, four);
      BOOST_TEST(rest.has_value());
      BOOST_TEST(as_text(four) == "rest");
      const bytes_span none;
      const auto nothing = co_await link::read_exactly(*pair.b, none);
      BOOST_TEST(nothing.has_value());
      const auto more = co_await link::read_exactly(*pair.b, four);
      BOOST_TEST((more.error() == errc::end_of_stream));
      const auto no_line = co_await link::read_line(*pair.b, 100);
      BOOST_TEST((no_line.error() == errc::end_of_stream));
    });
  }
}

BOOST_AUTO_TEST_CASE(a_line_may_be_as_long_as_the_limit_and_no_longer) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{4}, SIZE_MAX}) {
    run([piece](log_capture&) -> asio::awaitable<void> {
      auto fits = co_await holding("123456789\nmore", piece);
      const auto line = co_await link::read_line(*fits.b, 10);
      BOOST_TEST(line.value() == "123456789\n");
      auto long_one = co_await holding("1234567890\nmore", piece);
      const auto no_line = co_await link::read_line(*long_one.b, 10);
      BOOST_TEST((no_line.error() == errc::limit_exceeded));
      auto endless = co_await holding(std::string(1000, 'x'), piece);
      const auto still_none = co_await link::read_line(*endless.b, 10);
      BOOST_TEST((still_none.error() == errc::limit_exceeded));
    });
  }
}

BOOST_AUTO_TEST_CASE(an_end_or_a_failure_halfway_is_an_error) {
  run([](log_capture&) -> asio::awaitable<void> {
    auto cut = co_await holding("123", 1);
    std::array<std::byte, 4> four{};
    const auto got = co_await link::read_exactly(*cut.b, four);
    BOOST_TEST((got.error() == errc::end_of_stream));
    auto cut_line = co_await holding("123", 1);
    const auto line = co_await link::read_line(*cut_line.b, 10);
    BOOST_TEST((line.error() == errc::end_of_stream));
    auto broken = co_await holding("12\n", 1);
    broken.at_b->fail(step::read, 2, errc::peer_silent);
    const auto failed = co_await link::read_line(*broken.b, 10);
    BOOST_TEST((failed.error() == errc::peer_silent));
  });
}

BOOST_AUTO_TEST_SUITE_END()
