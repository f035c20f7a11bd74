// Ports that several sessions of one process hold together.
#include "reverse/book_bench.hpp"
#include "support/refuses.hpp"

#include <list>

using namespace gotunnel;
using namespace gotunnel::testing;
namespace code = wire::control_code;

namespace {

/// A port that carriers 1 to 3 of client 1 hold.
struct shared_port : book_bench {
  using book_bench::book_bench;

  asio::awaitable<void> open() {
    port = co_await bind(carriers[0], 0, 1, 1, 1);
    BOOST_TEST_REQUIRE(port != 0);
    for (unsigned i = 1; i < 3; ++i) {
      const auto joined = co_await bind(carriers[i], port, 1, 1, static_cast<std::uint8_t>(i + 1));
      BOOST_TEST_REQUIRE(joined == port);
    }
  }
  /// Returns when the visitor has been handed to somebody.
  asio::awaitable<void> visit() {
    const std::size_t before = count();
    visitors.push_back(loopback_socket::connect(port));
    const auto handed = [this, before] { return count() == before + 1; };
    co_await until(handed);
  }
  std::size_t count() const {
    std::size_t all = 0;
    for (const auto& each : carriers) all += each->visitors.size();
    return all;
  }

  std::shared_ptr<fake_holder> carriers[3] = {holder(), holder(), holder()};
  std::list<loopback_socket> visitors;
  std::uint16_t port = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(port_book_carriers_test)

BOOST_AUTO_TEST_CASE(carriers_share_the_visitors_of_their_port) {
  run([](log_capture&) -> asio::awaitable<void> {
    shared_port on(co_await asio::this_coro::executor);
    co_await on.open();
    for (int i = 0; i < 9; ++i) co_await on.visit();
    for (const auto& each : on.carriers) {
      BOOST_TEST(each->visitors.size() == 3U);
      BOOST_TEST(each->replaced == 0);
      BOOST_TEST(each->pings == 0);
    }
    // Who has the fewest gets the next ones.
    on.carriers[1]->visitors.clear();
    for (int i = 0; i < 3; ++i) co_await on.visit();
    BOOST_TEST(on.carriers[1]->visitors.size() == 3U);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(the_port_is_closed_when_the_last_carrier_is_gone) {
  run([](log_capture&) -> asio::awaitable<void> {
    shared_port on(co_await asio::this_coro::executor);
    co_await on.open();
    on.book.release_all(*on.carriers[0]);
    on.book.release(*on.carriers[2], on.port);
    for (int i = 0; i < 2; ++i) co_await on.visit();
    BOOST_TEST(on.carriers[1]->visitors.size() == 2U);
    on.book.release_all(*on.carriers[1]);
    BOOST_TEST(refuses(on.port));
    // Any of them opens it anew, and the others join again.
    for (const unsigned i : {2U, 0U, 1U}) {
      const auto again = co_await on.bind(on.carriers[i], on.port, 1, 1, static_cast<std::uint8_t>(i + 1));
      BOOST_TEST(again == on.port);
    }
    for (const auto& each : on.carriers) BOOST_TEST(each->replaced == 0);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_carrier_that_comes_back_takes_its_own_place_only) {
  run([](log_capture&) -> asio::awaitable<void> {
    shared_port on(co_await asio::this_coro::executor);
    co_await on.open();
    const auto former = std::exchange(on.carriers[1], on.holder());
    const auto again = co_await on.bind(on.carriers[1], on.port, 1, 1, 2);
    BOOST_TEST(again == on.port);
    co_await yield(3);
    BOOST_TEST(former->replaced == 1);
    BOOST_TEST(on.carriers[0]->replaced + on.carriers[2]->replaced == 0);
    on.book.release_all(*former); // what it no longer has
    for (int i = 0; i < 3; ++i) co_await on.visit();
    for (const auto& each : on.carriers) BOOST_TEST(each->visitors.size() == 1U);
    co_await on.finish();
  });
}

// The visitor of a session that has just ended is not lost, nor is it asked over and over.
BOOST_AUTO_TEST_CASE(a_visitor_that_comes_back_goes_to_another_carrier) {
  run([](log_capture&) -> asio::awaitable<void> {
    shared_port on(co_await asio::this_coro::executor);
    co_await on.open();
    on.carriers[0]->over = on.carriers[1]->over = true;
    for (int i = 0; i < 4; ++i) co_await on.visit();
    BOOST_TEST(on.carriers[2]->visitors.size() == 4U);
    BOOST_TEST(on.carriers[0]->turned_away == 1);
    BOOST_TEST(on.carriers[1]->turned_away == 1);
    on.carriers[2]->over = true;
    auto nobodys = loopback_socket::connect(on.port);
    nobodys.set_nonblocking();
    const auto closed = [&nobodys] {
      char byte = 0;
      return ::recv(nobodys.descriptor(), &byte, 1, 0) == 0;
    };
    co_await until(closed);
    BOOST_TEST(on.carriers[2]->turned_away == 1);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(who_may_take_a_shared_port) {
  struct rule {
    const char* what;
    int client, instance;
    std::uint8_t carrier;
    bool alive; ///< the third carrier; the others are not
    std::string_view answer;
    int pings; ///< of each
  };
  const rule rules[] = {
      {"an older session of the process, or one that wants it alone", 1, 1, 0, true, "", 0},
      {"a carrier of another process of a client that is gone", 1, 2, 1, false, "", 1},
      {"a carrier of another process of a client that lives", 1, 2, 1, true, code::live_copy, 1},
      {"a carrier of another client", 2, 1, 4, false, code::port_held, 0},
      {"a seed peer", 0, 0, 0, false, code::port_held, 0},
  };
  for (const rule& each : rules) {
    BOOST_TEST_CONTEXT(each.what) {
      run([&each](log_capture&) -> asio::awaitable<void> {
        shared_port on(co_await asio::this_coro::executor);
        co_await on.open();
        on.carriers[0]->alive = on.carriers[1]->alive = false;
        on.carriers[2]->alive = each.alive;
        const auto fresh = on.holder();
        const auto taken = co_await on.bind(fresh, on.port, each.client, each.instance, each.carrier);
        const bool given = each.answer.empty();
        BOOST_TEST(taken == (given ? on.port : 0));
        BOOST_TEST(on.refusal.code == each.answer);
        co_await yield(3);
        for (const auto& carrier : on.carriers) {
          BOOST_TEST(carrier->pings == each.pings);
          BOOST_TEST(carrier->replaced == (given ? 1 : 0));
          if (given) on.book.release_all(*carrier);
        }
        BOOST_TEST(!refuses(on.port));
        co_await on.finish();
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(a_port_held_by_one_alone_is_not_joined_but_taken) {
  run([](log_capture&) -> asio::awaitable<void> {
    book_bench on(co_await asio::this_coro::executor);
    const auto alone = on.holder();
    const auto carrier = on.holder();
    const auto port = co_await on.bind(alone, 0, 1, 1);
    const auto taken = co_await on.bind(carrier, port, 1, 1, 2);
    BOOST_TEST(taken == port);
    co_await yield(3);
    BOOST_TEST(alone->replaced == 1);
    const auto twice = co_await on.bind(carrier, port, 1, 1, 3);
    BOOST_TEST(twice == 0);
    BOOST_TEST(on.refusal.code == code::duplicate_bind);
    co_await on.finish();
  });
}

// While the carriers of the former process are asked whether they live, one of them may leave.
BOOST_AUTO_TEST_CASE(a_carrier_that_leaves_while_it_is_asked_changes_nothing) {
  run([](log_capture&) -> asio::awaitable<void> {
    shared_port on(co_await asio::this_coro::executor);
    co_await on.open();
    for (const auto& each : on.carriers) each->alive = false;
    on.carriers[0]->while_asked = [&on] { on.book.release_all(*on.carriers[0]); };
    const auto fresh = on.holder();
    const auto taken = co_await on.bind(fresh, on.port, 1, 2, 1);
    BOOST_TEST(taken == on.port);
    co_await yield(3);
    BOOST_TEST(on.carriers[0]->replaced == 0);
    BOOST_TEST(on.carriers[1]->replaced == 1);
    BOOST_TEST(on.carriers[2]->replaced == 1);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
