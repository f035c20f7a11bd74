#include "gotunnel/reverse/session_roll.hpp"

#include "gotunnel/base/counters.hpp"

#include "reverse/book_bench.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// A roll with three seats a client; sessions by number, clients by number.
struct bench {
  explicit bench(const net::executor& at) : where(at), roll(at, 3) {}

  asio::awaitable<bool> come(int session, int client = 1) {
    const auto id = peer_number(session);
    const auto owner = peer_number(client);
    co_return co_await roll.ask(owner, id, seats[session]);
  }
  void lose(int session) {
    holders[session] = std::make_shared<fake_holder>(where);
    seats[session]->away(holders[session]);
  }
  bool ended(int session) { return holders[session]->replaced > 0; }

  net::executor where;
  session_roll roll;
  std::map<int, session_roll::seat_ptr> seats;
  std::map<int, std::shared_ptr<fake_holder>> holders;
};

} // namespace

BOOST_AUTO_TEST_SUITE(session_roll_test)

BOOST_AUTO_TEST_CASE(a_client_has_so_many_sessions_and_no_more) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    const auto refused = counters::value(counter::sessions_refused);
    for (int i = 1; i <= 3; ++i) {
      const bool may = co_await on.come(i);
      BOOST_TEST(may);
    }
    const bool fourth = co_await on.come(4);
    BOOST_TEST(!fourth);
    BOOST_TEST(!on.seats[4]);
    BOOST_TEST(counters::value(counter::sessions_refused) == refused + 1);
    const bool other = co_await on.come(5, 2);
    BOOST_TEST(other);
    // Whoever leaves leaves a seat.
    on.seats[2].reset();
    co_await yield();
    BOOST_TEST(on.roll.sessions_of(peer_number(1)) == 2U);
    const bool again = co_await on.come(6);
    BOOST_TEST(again);
    on.seats.clear();
    co_await yield();
    BOOST_TEST(on.roll.sessions_of(peer_number(1)) == 0U);
    BOOST_TEST(on.roll.sessions_of(peer_number(2)) == 0U);
  });
}

BOOST_AUTO_TEST_CASE(the_session_that_has_waited_longest_makes_room) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    for (int i = 1; i <= 3; ++i) {
      const bool may = co_await on.come(i);
      BOOST_TEST(may);
    }
    for (const int each : {3, 1, 2}) on.lose(each);
    on.seats[3]->back();
    for (const int newcomer : {4, 5}) {
      const bool may = co_await on.come(newcomer);
      BOOST_TEST(may);
    }
    co_await yield(2);
    BOOST_TEST(on.ended(1));
    BOOST_TEST(on.ended(2));
    BOOST_TEST(!on.ended(3));
    const bool more = co_await on.come(6);
    BOOST_TEST(!more);
    // What was ended has no seat to leave, nor to come back to.
    on.seats[1]->back();
    on.seats[2].reset();
    co_await yield();
    BOOST_TEST(on.roll.sessions_of(peer_number(1)) == 3U);
    on.seats.clear();
    co_await yield();
  });
}

BOOST_AUTO_TEST_SUITE_END()
