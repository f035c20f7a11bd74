#include "gotunnel/net/file_worker.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"

#include <array>
#include <future>
#include <stdexcept>
#include <thread>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

/// Work that hangs until it is let go, as a read from a disk that is gone. Its thread holds what it needs.
struct hanging_work {
  std::promise<void> gate;
  std::shared_future<void> open = gate.get_future().share();

  [[nodiscard]] std::function<int()> work(int value) const {
    return [open = open, value] {
      open.wait();
      return value;
    };
  }
  void let_go() { gate.set_value(); }
};

asio::awaitable<void> ask(net::file_worker& files, std::function<int()> work, duration limit,
                          result<int>& said) {
  said = co_await files.run(limit, std::move(work));
}

} // namespace

BOOST_AUTO_TEST_SUITE(file_worker)

BOOST_AUTO_TEST_CASE(the_answer_comes_from_another_thread_to_the_asker) {
  run([](log_capture&) -> asio::awaitable<void> {
    net::file_worker files;
    auto work = [] { return std::this_thread::get_id(); };
    const auto there = co_await files.run(20s, std::move(work));
    BOOST_TEST_REQUIRE(there.has_value());
    BOOST_TEST((*there != std::this_thread::get_id()));
  });
}

BOOST_AUTO_TEST_CASE(what_it_throws_is_thrown_to_the_asker) {
  run([](log_capture&) -> asio::awaitable<void> {
    net::file_worker files;
    auto work = []() -> int { throw std::runtime_error("no such luck"); };
    std::string said;
    try {
      [[maybe_unused]] const auto none = co_await files.run(20s, std::move(work));
    } catch (const std::runtime_error& e) {
      said = e.what();
    }
    BOOST_TEST(said == "no such luck");
  });
}

BOOST_AUTO_TEST_CASE(the_worker_goes_on_while_the_work_hangs) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::file_worker files;
    hanging_work disk;
    result<int> said = errc::closed;
    net::task_group tasks(where, "test");
    tasks.spawn("ask", ask(files, disk.work(7), 20s, said));
    co_await pause(20ms);
    BOOST_TEST((said.error() == errc::closed));
    auto other = [] { return 1; }; // does not stand in line behind it
    const auto quick = co_await files.run(20s, std::move(other));
    BOOST_TEST(quick.has_value());
    disk.let_go();
    co_await tasks.join();
    BOOST_TEST(*said == 7);
  });
}

BOOST_AUTO_TEST_CASE(who_waits_too_long_goes_on_and_the_next_does_not_even_wait) {
  run([](log_capture&) -> asio::awaitable<void> {
    net::file_worker files;
    hanging_work disk;
    auto work = disk.work(7);
    const auto late = co_await files.run(10ms, std::move(work));
    BOOST_TEST((late.error() == errc::timed_out));
    auto other = [] { return 1; };
    const auto next = co_await files.run(20s, other);
    BOOST_TEST((next.error() == errc::busy));
    disk.let_go();
    bool works_again = false;
    while (!works_again) {
      const auto again = co_await files.run(20s, other);
      works_again = again.has_value();
      co_await yield();
    }
  });
}

BOOST_AUTO_TEST_CASE(only_so_much_is_under_way_at_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::file_worker files(2);
    hanging_work disk;
    std::array<result<int>, 3> said{errc::closed, errc::closed, errc::closed};
    net::task_group tasks(where, "test");
    for (auto& each : said) tasks.spawn("ask", ask(files, disk.work(1), 20s, each));
    co_await until([&said] { return said[2].error() == errc::busy; });
    disk.let_go();
    co_await tasks.join();
    BOOST_TEST((said[0].has_value() && said[1].has_value()));
  });
}

BOOST_AUTO_TEST_CASE(leaving_does_not_wait_for_work_that_hangs) {
  hanging_work disk;
  const auto begin = std::chrono::steady_clock::now();
  run([&disk](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    net::file_worker files;
    result<int> said = errc::closed;
    net::task_group tasks(where, "test");
    tasks.spawn("ask", ask(files, disk.work(7), 20s, said));
    co_await yield(20);
    tasks.cancel(); // the asker, and its context, go first
    co_await tasks.join();
  });
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 10s));
  disk.let_go();
}

BOOST_AUTO_TEST_SUITE_END()
