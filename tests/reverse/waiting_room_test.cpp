#include "gotunnel/reverse/waiting_room.hpp"

#include "support/memory_stream.hpp"
#include "support/run.hpp"

#include <vector>

using namespace gotunnel;
using namespace gotunnel::testing;
using namespace gotunnel::reverse;

namespace {

/// A room of four, two of a source, and strangers by name of their source.
struct bench {
  explicit bench(net::executor at) : where(std::move(at)) {}

  void come(char source) {
    streams.push_back(make_memory_pair(where));
    wire::ip_endpoint from;
    from.ip[0] = static_cast<std::byte>(source);
    from.port = static_cast<std::uint16_t>(streams.size());
    places.push_back(std::make_unique<waiting_room::place>(room, *streams.back().a, wire::source_of(from)));
  }
  /// Numbers of those who wait.
  std::string present() const {
    std::string text;
    for (std::size_t i = 0; i < streams.size(); ++i)
      if (places[i] && !streams[i].at_a->closed()) text += std::to_string(i);
    return text;
  }

  net::executor where;
  waiting_room room{{.all = 4, .of_a_source = 2}};
  std::vector<memory_pair> streams;
  std::vector<std::unique_ptr<waiting_room::place>> places;
};

} // namespace

BOOST_AUTO_TEST_SUITE(waiting_room_test)

BOOST_AUTO_TEST_CASE(the_oldest_makes_room) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    for (const char source : {'a', 'b', 'c', 'd'}) on.come(source);
    BOOST_TEST(on.present() == "0123");
    on.come('e');
    BOOST_TEST(on.present() == "1234");
    BOOST_CHECK(on.streams[0].at_a->closed() == net::ending::abort);
    on.come('f');
    BOOST_TEST(on.present() == "2345");
    // Whoever leaves by itself leaves a free place.
    on.places[3].reset();
    on.come('g');
    BOOST_TEST(on.present() == "2456");
    BOOST_TEST(on.room.size() == 4U);
  });
}

BOOST_AUTO_TEST_CASE(a_source_displaces_its_own) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    const auto crowded = counters::value(counter::strangers_crowded);
    for (const char source : {'a', 'b', 'b'}) on.come(source);
    on.come('b');
    BOOST_TEST(on.present() == "023");
    on.come('b');
    BOOST_TEST(on.present() == "034");
    on.come('c');
    BOOST_TEST(on.present() == "0345");
    // Full, and of a full source: its own oldest goes, not the oldest of all.
    on.come('b');
    BOOST_TEST(on.present() == "0456");
    BOOST_TEST(counters::value(counter::strangers_crowded) == crowded + 3);
    // One that was dropped leaves later, and nothing of another's place with it.
    on.places[1].reset();
    BOOST_TEST(on.room.size() == 4U);
    on.places.clear();
    BOOST_TEST(on.room.size() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(one_that_is_dropped_waits_no_longer) {
  run([](log_capture&) -> asio::awaitable<void> {
    bench on(co_await asio::this_coro::executor);
    net::task_group tasks(on.where, "test");
    std::string ended;
    const auto wait = [&](std::size_t which, duration length) -> asio::awaitable<void> {
      const bool here = co_await on.places[which]->wait(length);
      ended += std::to_string(which) + (here ? "+" : "-");
    };
    on.come('a');
    on.come('a');
    tasks.spawn("first", wait(0, 1h));
    tasks.spawn("second", wait(1, 1ms));
    co_await until([&] { return ended == "1+"; });
    on.come('a');
    co_await tasks.join();
    BOOST_TEST(ended == "1+0-");
    // Nor does one that was dropped before.
    co_await wait(0, 1h);
    BOOST_TEST(ended == "1+0-0-");
  });
}

BOOST_AUTO_TEST_SUITE_END()
