// Clients that wait for a port whose holder is away.
#include "reverse/book_bench.hpp"
#include "support/refuses.hpp"

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;
namespace code = wire::control_code;

namespace {

/// A port whose holder is away, and clients who ask for it.
struct line_bench : book_bench {
  using book_bench::book_bench;

  asio::awaitable<void> begin(duration window = 60s) {
    port = co_await bind(first, 0, 1, 1);
    BOOST_TEST_REQUIRE(port != 0);
    book.away(*first, std::chrono::steady_clock::now() + window);
  }
  asio::awaitable<void> wait(std::shared_ptr<fake_holder> who, int client, wire::control_message& answer) {
    auto asked = question(who, port, client, 1, 0);
    answer = co_await book.wait_in_line(std::move(asked));
  }

  std::shared_ptr<fake_holder> first = holder();
  std::uint16_t port = 0;
};

bool answered(const wire::control_message& answer) {
  return !std::holds_alternative<wire::unknown_message>(answer);
}

std::string code_of(const wire::control_message& answer) {
  const auto* refused = std::get_if<wire::error_answer>(&answer);
  return refused != nullptr ? refused->code : "";
}

} // namespace

BOOST_AUTO_TEST_SUITE(port_book_line)

BOOST_AUTO_TEST_CASE(who_asks_for_a_port_whose_holder_is_away_is_told_until_when) {
  run([](log_capture&) -> asio::awaitable<void> {
    line_bench on(co_await asio::this_coro::executor);
    co_await on.begin();
    const auto got = co_await on.bind(on.holder(), on.port, 2, 1);
    BOOST_TEST(got == 0);
    BOOST_TEST(on.refusal.code == code::port_held);
    BOOST_TEST_REQUIRE(on.refusal.free_in_ms.has_value());
    BOOST_TEST(*on.refusal.free_in_ms > 50'000U);
    BOOST_TEST(*on.refusal.free_in_ms <= 60'000U);
    BOOST_TEST(on.refusal.message.find("free in 60 s unless that client is back") != std::string::npos);
    on.book.back(*on.first);
    const auto still = co_await on.bind(on.holder(), on.port, 2, 1);
    BOOST_TEST(still == 0);
    BOOST_TEST(!on.refusal.free_in_ms.has_value());
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(the_first_in_line_has_the_port_when_its_holder_is_over) {
  run([](log_capture&) -> asio::awaitable<void> {
    line_bench on(co_await asio::this_coro::executor);
    co_await on.begin();
    const auto second = on.holder();
    const auto third = on.holder();
    wire::control_message of_second = wire::unknown_message{};
    wire::control_message of_third = wire::unknown_message{};
    net::task_group tasks(on.where, "test");
    tasks.spawn("second", on.wait(second, 2, of_second));
    co_await yield(5);
    tasks.spawn("third", on.wait(third, 3, of_third));
    co_await yield(5);
    BOOST_TEST(!answered(of_second));
    on.book.release_all(*on.first);
    co_await tasks.join();
    const auto* const bound = std::get_if<wire::bound_answer>(&of_second);
    BOOST_TEST_REQUIRE(bound != nullptr);
    BOOST_TEST(bound->port == on.port);
    BOOST_TEST(bound->id == 5U);
    BOOST_TEST(code_of(of_third) == code::port_held);
    const auto visitor = loopback_socket::connect(on.port);
    co_await until([&] { return second->visitors.size() == 1; });
    // It is its own: the former holder's client is another now.
    const auto former = co_await on.bind(on.first, on.port, 1, 1);
    BOOST_TEST(former == 0);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_holder_that_is_back_keeps_its_port) {
  run([](log_capture&) -> asio::awaitable<void> {
    line_bench on(co_await asio::this_coro::executor);
    co_await on.begin();
    wire::control_message answer = wire::unknown_message{};
    net::task_group tasks(on.where, "test");
    tasks.spawn("second", on.wait(on.holder(), 2, answer));
    co_await yield(5);
    on.book.back(*on.first);
    co_await tasks.join();
    BOOST_TEST(code_of(answer) == code::port_held);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(the_former_holders_client_may_take_it_over_before) {
  run([](log_capture&) -> asio::awaitable<void> {
    line_bench on(co_await asio::this_coro::executor);
    co_await on.begin();
    wire::control_message answer = wire::unknown_message{};
    net::task_group tasks(on.where, "test");
    tasks.spawn("second", on.wait(on.holder(), 2, answer));
    co_await yield(5);
    const auto again = co_await on.bind(on.holder(), on.port, 1, 1);
    BOOST_TEST(again == on.port);
    co_await tasks.join();
    BOOST_TEST(code_of(answer) == code::port_held);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_line_ends_with_the_session_that_waits_and_with_the_server) {
  run([](log_capture&) -> asio::awaitable<void> {
    line_bench on(co_await asio::this_coro::executor);
    co_await on.begin();
    const auto second = on.holder();
    wire::control_message of_second = wire::unknown_message{};
    wire::control_message of_third = wire::unknown_message{};
    net::task_group tasks(on.where, "test");
    tasks.spawn("second", on.wait(second, 2, of_second));
    tasks.spawn("third", on.wait(on.holder(), 3, of_third));
    co_await yield(5);
    on.book.release_all(*second);
    co_await until([&] { return answered(of_second); });
    BOOST_TEST(!answered(of_third));
    on.book.close();
    co_await tasks.join();
    BOOST_TEST(code_of(of_third) == code::shutting_down);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_CASE(a_line_has_an_end_and_who_comes_too_late_gets_what_is_there) {
  run([](log_capture&) -> asio::awaitable<void> {
    line_bench on(co_await asio::this_coro::executor);
    co_await on.begin();
    std::vector<wire::control_message> answers(17, wire::unknown_message{});
    net::task_group tasks(on.where, "test");
    for (std::size_t i = 0; i < answers.size(); ++i)
      tasks.spawn("waiting", on.wait(on.holder(), static_cast<int>(i) + 2, answers[i]));
    co_await until([&] { return answered(answers.back()); });
    BOOST_TEST(code_of(answers.back()) == code::port_held);
    on.book.release_all(*on.first);
    co_await tasks.join();
    BOOST_TEST(std::holds_alternative<wire::bound_answer>(answers.front()));

    // The holder is there: the line is no way around it.
    wire::control_message late = wire::unknown_message{};
    tasks.spawn("late", on.wait(on.holder(), 99, late));
    co_await tasks.join();
    BOOST_TEST(code_of(late) == code::port_held);
    co_await on.finish();
  });
}

BOOST_AUTO_TEST_SUITE_END()
