#include "gotunnel/net/signal.hpp"

#include "support/run.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;

BOOST_AUTO_TEST_SUITE(signal_test)

BOOST_AUTO_TEST_CASE(a_notification_wakes_all_who_wait_and_is_then_forgotten) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::signal changed(where);
    net::task_group tasks(where, "test");
    int woken = 0;
    const auto wait = [](net::signal& on, int& count) -> asio::awaitable<void> {
      co_await on.wait();
      ++count;
    };
    changed.notify(); // nobody waits
    tasks.spawn("first", wait(changed, woken));
    tasks.spawn("second", wait(changed, woken));
    co_await yield(5);
    BOOST_TEST(woken == 0);
    changed.notify();
    changed.notify();
    co_await tasks.join();
    BOOST_TEST(woken == 2);

    tasks.spawn("third", wait(changed, woken));
    co_await yield(5);
    BOOST_TEST(woken == 2);
    changed.notify();
    co_await tasks.join();
    BOOST_TEST(woken == 3);
  });
}

BOOST_AUTO_TEST_CASE(who_waits_again_when_woken_waits_for_the_next_notification) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::signal changed(where);
    net::task_group tasks(where, "test");
    int rounds = 0;
    const auto count = [](net::signal& on, int& seen) -> asio::awaitable<void> {
      while (seen < 3) {
        co_await on.wait();
        ++seen;
      }
    };
    tasks.spawn("counter", count(changed, rounds));
    for (int round = 1; round <= 3; ++round) {
      co_await yield(5);
      changed.notify();
      co_await yield(5);
      BOOST_TEST(rounds == round);
    }
    co_await tasks.join();
  });
}

BOOST_AUTO_TEST_SUITE_END()
