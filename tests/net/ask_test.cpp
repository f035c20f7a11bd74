#include "gotunnel/net/ask.hpp"

#include "gotunnel/net/task_group.hpp"
#include "gotunnel/net/worker_pool.hpp"

#include "support/log_capture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <thread>

using namespace gotunnel;
using testing::log_capture;

namespace {

/// Runs `body` on the worker at the back of a pool of two, whose front answers.
template <class Body>
void between_two_workers(Body body) {
  const log_capture log;
  net::worker_pool pool(2);
  std::exception_ptr failure;
  auto start = [&] { return body(pool.front().where(), pool.at(1).where()); };
  boost::asio::co_spawn(pool.at(1).where(), start, [&](const std::exception_ptr& thrown) {
    failure = thrown;
    pool.release();
  });
  pool.run();
  if (failure) std::rethrow_exception(failure);
}

} // namespace

BOOST_AUTO_TEST_SUITE(ask_test)

BOOST_AUTO_TEST_CASE(a_function_runs_there_and_its_answer_arrives_here) {
  between_two_workers([](net::executor there, net::executor) -> boost::asio::awaitable<void> {
    const auto here = std::this_thread::get_id();
    std::thread::id ran_on;
    int state = 1; // touched on both threads, never at once: no lock
    for (int i = 0; i < 1000; ++i) {
      auto question = [&] {
        ran_on = std::this_thread::get_id();
        return std::to_string(++state);
      };
      const std::string answer = co_await net::ask(there, question);
      BOOST_REQUIRE(answer == std::to_string(state));
      BOOST_REQUIRE(std::this_thread::get_id() == here);
      ++state;
    }
    BOOST_CHECK(ran_on != here);
  });
}

BOOST_AUTO_TEST_CASE(a_function_without_an_answer_has_run_when_the_asker_goes_on) {
  between_two_workers([](net::executor there, net::executor) -> boost::asio::awaitable<void> {
    int ran = 0;
    auto question = [&ran] { ++ran; };
    for (int i = 0; i < 100; ++i) co_await net::ask(there, question);
    BOOST_TEST(ran == 100);
  });
}

BOOST_AUTO_TEST_CASE(an_answer_may_come_later_from_a_task_there_and_own_things) {
  using boxed = std::shared_ptr<std::string>;
  between_two_workers([](net::executor there, net::executor) -> boost::asio::awaitable<void> {
    auto question = [there](std::function<void(boxed)> answer) {
      // Two turns later, and from a copy of the callable.
      boost::asio::post(there, [there, answer] {
        boost::asio::post(there, [answer] { answer(std::make_shared<std::string>("later")); });
      });
    };
    const boxed answer = co_await net::ask_later<boxed>(there, question);
    BOOST_TEST(*answer == "later");
  });
}

BOOST_AUTO_TEST_CASE(a_worker_may_ask_itself) {
  between_two_workers([](net::executor, net::executor here) -> boost::asio::awaitable<void> {
    auto question = [] { return 42; };
    const int answer = co_await net::ask(here, question);
    BOOST_TEST(answer == 42);
  });
}

BOOST_AUTO_TEST_CASE(a_cancelled_asker_hears_the_answer_before_it_ends) {
  between_two_workers([](net::executor there, net::executor here) -> boost::asio::awaitable<void> {
    net::task_group tasks(here, "test");
    int answers = 0;
    const auto ask = [&](int& heard) -> boost::asio::awaitable<void> {
      auto question = [] { return 1; };
      heard += co_await net::ask(there, question);
    };
    tasks.spawn("asker", ask(answers));
    auto nothing = [] {};
    boost::asio::post(here, nothing);
    co_await boost::asio::post(here, boost::asio::use_awaitable);
    tasks.cancel();
    co_await tasks.join();
    BOOST_TEST(answers <= 1); // it may have been cancelled before it asked
  });
}

BOOST_AUTO_TEST_SUITE_END()
