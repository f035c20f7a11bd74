#include "gotunnel/net/resolver.hpp"

#include "support/elapsed.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <boost/asio/error.hpp>

#include <condition_variable>
#include <deque>
#include <map>
#include <set>
#include <thread>

using namespace gotunnel;
using namespace gotunnel::testing;
using net::resolver;

namespace {

// Asio's own errors are enumerations, and compare equal to an error_code only.
const error_code not_found = asio::error::host_not_found;
const error_code try_again = asio::error::host_not_found_try_again;

/// Lookups that take until the test answers them, in their order, or ends.
class script {
public:
  script() = default;
  script(const script&) = delete;
  script& operator=(const script&) = delete;
  ~script() {
    const std::lock_guard guard(state_->mutex);
    state_->over = true;
    state_->changed.notify_all();
  }

  [[nodiscard]] resolver::lookup lookup() const {
    return [at = state_](const std::string& host) {
      std::unique_lock lock(at->mutex);
      const std::size_t number = at->begun[host]++;
      at->changed.notify_all();
      at->changed.wait(lock, [&] { return at->over || at->answers[host].contains(number); });
      return at->over ? not_found : at->answers[host].at(number);
    };
  }
  /// Answers lookup `number` of this name.
  void answer(const std::string& host, result<resolver::addresses> with, std::size_t number) const {
    const std::lock_guard guard(state_->mutex);
    state_->answers[host].insert_or_assign(number, std::move(with));
    state_->changed.notify_all();
  }
  /// Answers the next one that nobody has answered, be it under way or not.
  void answer(const std::string& host, result<resolver::addresses> with) const {
    const std::size_t next = [&] {
      const std::lock_guard guard(state_->mutex);
      return state_->answers[host].size();
    }();
    answer(host, std::move(with), next);
  }
  void answer(const std::string& host, const char* address) const {
    answer(host, resolver::addresses{asio::ip::make_address(address)});
  }
  [[nodiscard]] std::size_t begun(const std::string& host) const {
    const std::lock_guard guard(state_->mutex);
    return state_->begun[host];
  }

private:
  struct state {
    std::mutex mutex;
    std::condition_variable changed;
    bool over = false;
    std::map<std::string, std::size_t> begun;
    std::map<std::string, std::map<std::size_t, result<resolver::addresses>>> answers;
  };
  std::shared_ptr<state> state_ = std::make_shared<state>();
};

struct stage {
  explicit stage(const net::resolver_limits& limits = {}) : names(words.lookup(), limits) {}

  script words;
  resolver names;
};

/// Asks as a task, and keeps what it was told.
struct question {
  std::optional<result<resolver::answer>> told;

  asio::awaitable<void> ask(resolver& names, std::string host, duration limit) {
    told = co_await names.find(std::move(host), limit);
  }
};

std::string text(const std::optional<result<resolver::answer>>& told) {
  if (!told) return "nothing yet";
  if (!*told) return told->error().message();
  std::string all;
  for (const auto& each : ***told) all += (all.empty() ? "" : " ") + each.to_string();
  return all;
}

asio::awaitable<std::string> ask(resolver& names, std::string host, duration limit = 10s) {
  const auto told = co_await names.find(std::move(host), limit);
  co_return text(told);
}

} // namespace

BOOST_AUTO_TEST_SUITE(resolver_test)

BOOST_AUTO_TEST_CASE(a_name_that_hangs_holds_no_other_up) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s;
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    question hung;
    tasks.spawn("ask", hung.ask(s.names, "hung", 10s));
    co_await until([&] { return s.words.begun("hung") == 1; });
    s.words.answer("other", "192.0.2.1");
    const auto other = co_await ask(s.names, "other");
    BOOST_TEST(other == "192.0.2.1");
    BOOST_TEST(text(hung.told) == "nothing yet");
    s.words.answer("hung", "192.0.2.2");
    co_await tasks.join();
    BOOST_TEST(text(hung.told) == "192.0.2.2");
  });
}

BOOST_AUTO_TEST_CASE(all_who_ask_for_a_name_share_a_lookup_and_its_answer_is_kept_for_a_while) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.fresh = 50ms});
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    std::vector<question> many(100);
    for (question& each : many) tasks.spawn("ask", each.ask(s.names, "name", 10s));
    co_await until([&] { return s.words.begun("name") == 1; });
    s.words.answer("name", "192.0.2.1");
    co_await tasks.join();
    for (const question& each : many) BOOST_TEST(text(each.told) == "192.0.2.1");
    const auto kept = co_await ask(s.names, "name");
    BOOST_TEST(kept == "192.0.2.1");
    BOOST_TEST(s.words.begun("name") == 1U);

    co_await pause(60ms);
    s.words.answer("name", "192.0.2.2");
    const auto anew = co_await ask(s.names, "name");
    BOOST_TEST(anew == "192.0.2.2");
    BOOST_TEST(s.words.begun("name") == 2U);
  });
}

BOOST_AUTO_TEST_CASE(an_asker_waits_no_longer_than_it_said_and_the_lookup_goes_on) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s;
    const auto in_vain = co_await ask(s.names, "name", 20ms);
    BOOST_TEST(in_vain == try_again.message());
    s.words.answer("name", "192.0.2.1");
    const auto later = co_await ask(s.names, "name");
    BOOST_TEST(later == "192.0.2.1");
    BOOST_TEST(s.words.begun("name") == 1U);
  });
}

BOOST_AUTO_TEST_CASE(a_failure_is_kept_for_a_moment) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.failed = 50ms});
    s.words.answer("name", not_found);
    for (int i = 0; i < 3; ++i) {
      const auto unknown = co_await ask(s.names, "name");
      BOOST_TEST(unknown == not_found.message());
    }
    BOOST_TEST(s.words.begun("name") == 1U);
    co_await pause(60ms);
    s.words.answer("name", "192.0.2.1");
    const auto found = co_await ask(s.names, "name");
    BOOST_TEST(found == "192.0.2.1");
  });
}

BOOST_AUTO_TEST_CASE(while_lookups_fail_or_hang_the_last_good_answer_serves) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.fresh = 0ms, .failed = 0ms, .patience = 50ms});
    s.words.answer("name", "192.0.2.1");
    const auto good = co_await ask(s.names, "name");
    s.words.answer("name", try_again);
    const auto failed = co_await ask(s.names, "name");
    BOOST_TEST(failed == good);
    const auto begin = std::chrono::steady_clock::now();
    const auto hung = co_await ask(s.names, "name");
    BOOST_TEST(hung == good);
    BOOST_TEST(seconds_since(begin) >= 0.05);
    BOOST_TEST(s.words.begun("name") == 3U);
    // The same lookup is known to be slow, and nobody waits for it once more. What it brings counts.
    const auto at_once = co_await ask(s.names, "name", 0ms);
    BOOST_TEST(at_once == good);
    s.words.answer("name", "192.0.2.2");
    for (std::string now = good; now == good;) now = co_await ask(s.names, "name");
    BOOST_TEST(s.words.begun("name") >= 3U);
  });
}

BOOST_AUTO_TEST_CASE(a_name_that_is_gone_and_an_answer_that_is_too_old_serve_nobody) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.fresh = 0ms, .failed = 0ms, .stale = 50ms});
    s.words.answer("gone", "192.0.2.1");
    s.words.answer("gone", not_found);
    s.words.answer("gone", try_again);
    s.words.answer("old", "192.0.2.1");
    s.words.answer("old", try_again);
    std::vector<std::string> told;
    for (int i = 0; i < 3; ++i) {
      auto one = co_await ask(s.names, "gone");
      told.push_back(std::move(one));
    }
    BOOST_TEST(told[1] == not_found.message());
    BOOST_TEST(told[2] == try_again.message());
    const auto fresh = co_await ask(s.names, "old");
    BOOST_TEST(fresh == "192.0.2.1");
    co_await pause(60ms);
    const auto too_old = co_await ask(s.names, "old");
    BOOST_TEST(too_old == try_again.message());
  });
}

BOOST_AUTO_TEST_CASE(a_lookup_that_is_stuck_gets_a_second_beside_it_and_no_third) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.stuck = 20ms});
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    question first;
    question second;
    tasks.spawn("ask", first.ask(s.names, "name", 10s));
    co_await pause(30ms);
    tasks.spawn("ask", second.ask(s.names, "name", 10s));
    co_await pause(30ms);
    const auto third = co_await ask(s.names, "name", 30ms);
    BOOST_TEST(third == try_again.message());
    BOOST_TEST(s.words.begun("name") == 2U);

    s.words.answer("name", resolver::addresses{asio::ip::make_address("192.0.2.2")}, 1);
    co_await tasks.join();
    BOOST_TEST(text(first.told) == "192.0.2.2");
    BOOST_TEST(text(second.told) == "192.0.2.2");
    // What the stuck one says is older than what is known.
    s.words.answer("name", not_found, 0);
    co_await pause(20ms);
    const auto known = co_await ask(s.names, "name");
    BOOST_TEST(known == "192.0.2.2");
  });
}

BOOST_AUTO_TEST_CASE(one_of_two_lookups_that_fails_leaves_the_word_to_the_other) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.stuck = 0ms});
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    question first;
    question second;
    tasks.spawn("ask", first.ask(s.names, "name", 10s));
    tasks.spawn("ask", second.ask(s.names, "name", 10s));
    co_await until([&] { return s.words.begun("name") == 2; });
    s.words.answer("name", try_again, 0);
    co_await pause(20ms);
    BOOST_TEST(text(first.told) == "nothing yet");
    s.words.answer("name", "192.0.2.1");
    co_await tasks.join();
    BOOST_TEST(text(first.told) == "192.0.2.1");
  });
}

BOOST_AUTO_TEST_CASE(lookups_under_way_are_bounded_and_another_name_is_refused_at_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.in_flight = 2});
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    question a;
    question b;
    tasks.spawn("ask", a.ask(s.names, "a", 10s));
    tasks.spawn("ask", b.ask(s.names, "b", 10s));
    co_await until([&] { return s.words.begun("a") + s.words.begun("b") == 2; });
    const auto refused = co_await ask(s.names, "c");
    BOOST_TEST(refused == make_error_code(errc::limit_exceeded).message());
    for (const char* each : {"a", "b", "c"}) s.words.answer(each, "192.0.2.1");
    co_await tasks.join();
    const auto served = co_await ask(s.names, "c");
    BOOST_TEST(served == "192.0.2.1");
  });
}

BOOST_AUTO_TEST_CASE(only_so_many_names_are_remembered) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.names = 2});
    for (const char* each : {"a", "b", "c", "a"}) {
      s.words.answer(each, "192.0.2.1");
      const auto told = co_await ask(s.names, each);
      BOOST_TEST(told == "192.0.2.1");
    }
    BOOST_TEST(s.words.begun("a") == 2U);
    BOOST_TEST(s.words.begun("b") == 1U);
  });
}

BOOST_AUTO_TEST_CASE(an_answer_that_did_not_work_is_asked_for_again_and_remains_the_last_resort) {
  run([](log_capture&) -> asio::awaitable<void> {
    stage s({.failed = 0ms});
    s.words.answer("name", "192.0.2.1");
    const auto before = co_await ask(s.names, "name");
    s.names.doubt("name");
    s.names.doubt("another");
    s.words.answer("name", try_again);
    const auto last_resort = co_await ask(s.names, "name");
    BOOST_TEST(last_resort == before);
    s.words.answer("name", "192.0.2.2");
    const auto moved = co_await ask(s.names, "name");
    BOOST_TEST(moved == "192.0.2.2");
    BOOST_TEST(s.words.begun("name") == 3U);
  });
}

BOOST_AUTO_TEST_CASE(neither_askers_nor_the_resolver_have_to_wait_for_a_lookup) {
  const script words;
  run([&words](log_capture&) -> asio::awaitable<void> {
    resolver names(words.lookup());
    net::task_group tasks(co_await asio::this_coro::executor, "test");
    question hung;
    tasks.spawn("ask", hung.ask(names, "name", 10s));
    co_await until([&] { return words.begun("name") == 1; });
    tasks.cancel();
    co_await tasks.join();
    BOOST_TEST(text(hung.told) == "nothing yet");
  });
  words.answer("name", "192.0.2.1"); // nobody is there to be told
}

BOOST_AUTO_TEST_CASE(before_the_workers_run_one_may_wait_for_an_answer) {
  const stage s;
  resolver names = s.names;
  s.words.answer("name", "192.0.2.1");
  BOOST_TEST(text(names.wait_for("name", 10s)) == "192.0.2.1");
  BOOST_TEST(text(names.wait_for("hung", 20ms)) == try_again.message());
}

BOOST_AUTO_TEST_CASE(the_system_knows_its_own_name_and_says_when_there_is_none) {
  const auto own = net::look_up("localhost");
  BOOST_REQUIRE(own.has_value());
  for (const auto& each : *own) BOOST_TEST(each.is_loopback());
  BOOST_TEST(std::set(own->begin(), own->end()).size() == own->size());
  BOOST_TEST(!net::look_up("no..such..name").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
