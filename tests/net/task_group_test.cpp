#include "gotunnel/net/task_group.hpp"

#include "support/run.hpp"

#include <stdexcept>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

asio::awaitable<void> wait_for(net::signal& on, bool& woken) {
  co_await on.wait();
  co_await on.wait(); // the first wait of a cancelled task returns, the next await throws
  woken = true;
}

asio::awaitable<void> fail_with(std::exception_ptr what) {
  co_await yield();
  std::rethrow_exception(what);
}

asio::awaitable<void> count(int& done) {
  co_await yield();
  ++done;
}

} // namespace

BOOST_AUTO_TEST_SUITE(task_group_test)

BOOST_AUTO_TEST_CASE(join_returns_when_all_have_ended_and_the_group_can_be_used_again) {
  run([](log_capture&) -> asio::awaitable<void> {
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    co_await tasks.join(); // nothing to wait for
    int done = 0;
    for (int i = 0; i < 100; ++i) tasks.spawn("count", count(done));
    BOOST_TEST(tasks.size() == 100U);
    co_await tasks.join();
    BOOST_TEST(done == 100);
    BOOST_TEST(tasks.size() == 0U);
    tasks.spawn("count", count(done));
    co_await tasks.join();
    BOOST_TEST(done == 101);
  });
}

BOOST_AUTO_TEST_CASE(cancelled_tasks_end_quietly_and_nothing_new_is_spawned) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::signal never_told(where);
    net::task_group tasks(where, "test");
    bool woken = false;
    tasks.spawn("waiter", wait_for(never_told, woken));
    tasks.spawn("waiter", wait_for(never_told, woken));
    co_await yield(3);
    BOOST_TEST(!tasks.cancelled());
    tasks.cancel();
    BOOST_TEST(tasks.cancelled());
    int done = 0;
    tasks.spawn("late", count(done));
    co_await tasks.join();
    BOOST_TEST(!woken);
    BOOST_TEST(done == 0);
    BOOST_TEST(tasks.size() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(tasks_cancelled_before_they_began_end_too) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::signal never_told(where);
    net::task_group tasks(where, "test");
    bool woken = false;
    tasks.spawn("waiter", wait_for(never_told, woken));
    tasks.cancel();
    co_await tasks.join();
    BOOST_TEST(!woken);
  });
}

BOOST_AUTO_TEST_CASE(an_exception_is_logged_with_the_name_of_its_task_and_goes_no_further) {
  run([](log_capture& log) -> asio::awaitable<void> {
    net::task_group tasks(co_await asio::this_coro::executor, "room");
    int done = 0;
    tasks.spawn("careless", fail_with(std::make_exception_ptr(std::runtime_error("dropped a plate"))));
    tasks.spawn("unlucky", fail_with(std::make_exception_ptr(boost::system::system_error(errc::reset))));
    tasks.spawn("steady", count(done));
    co_await tasks.join();
    BOOST_TEST(done == 1);
    log.expect("room: careless failed: dropped a plate");
    log.expect("room: unlucky failed: reset by the peer");
  });
}

BOOST_AUTO_TEST_CASE(a_cancelled_joiner_waits_for_its_children_all_the_same) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::signal go(where);
    net::task_group parents(where, "test");
    bool child_done = false;
    bool parent_done = false;
    const auto slow = [](net::signal& on, bool& done) -> asio::awaitable<void> {
      co_await on.wait();
      done = true;
    };
    const auto parent = [&slow](net::signal& on, bool& inner, bool& outer) -> asio::awaitable<void> {
      net::task_group children(co_await asio::this_coro::executor, "test");
      children.spawn("slow", slow(on, inner));
      co_await children.join();
      outer = inner;
    };
    parents.spawn("parent", parent(go, child_done, parent_done));
    co_await yield(5);
    parents.cancel();
    co_await yield(5);
    BOOST_TEST(parents.size() == 1U);
    go.notify();
    co_await parents.join();
    BOOST_TEST(child_done);
    BOOST_TEST(parent_done);
  });
}

BOOST_AUTO_TEST_SUITE_END()
