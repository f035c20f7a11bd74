#include "gotunnel/net/parcel.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

#include <sys/socket.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using net::parcel_socket;

namespace {

struct line {
  line() : ends(parcel_socket::pair().value()) {}
  std::pair<parcel_socket, parcel_socket> ends;
  parcel_socket& ours = ends.first;
  parcel_socket& theirs = ends.second;

  /// Bytes that are no parcel, or not yet.
  void say(bytes_view bytes) const {
    BOOST_TEST(::send(ours.handle(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(parcel_test)

BOOST_AUTO_TEST_CASE(bytes_and_a_descriptor_arrive_together_and_in_order) {
  line on;
  line passed;
  BOOST_TEST(on.ours.send(as_bytes("one"), 5s).has_value());
  BOOST_TEST(on.ours.send(as_bytes("two"), 5s, passed.theirs.handle()).has_value());
  BOOST_TEST(on.ours.send({}, 5s).has_value());
  const auto one = on.theirs.receive(5s);
  BOOST_TEST_REQUIRE(one.has_value());
  BOOST_TEST(as_text(one->bytes) == "one");
  BOOST_TEST(!one->attached);
  auto two = on.theirs.receive(5s);
  BOOST_TEST_REQUIRE(two.has_value());
  BOOST_TEST(as_text(two->bytes) == "two");
  BOOST_TEST_REQUIRE(static_cast<bool>(two->attached));
  BOOST_TEST(on.theirs.receive(5s)->bytes.empty());

  // The copy is as good as the original.
  parcel_socket copy(std::move(two->attached));
  BOOST_TEST(passed.ours.send(as_bytes("hello"), 5s).has_value());
  BOOST_TEST(as_text(copy.receive(5s)->bytes) == "hello");
}

BOOST_AUTO_TEST_CASE(a_large_one_waits_for_room) {
  line on;
  const std::string much(5 * 1024 * 1024, 'x');
  bool sent = false;
  std::thread sender([&] { sent = on.ours.send(as_bytes(much), 20s).has_value(); });
  const auto got = on.theirs.receive(20s);
  sender.join();
  BOOST_TEST(sent);
  BOOST_TEST_REQUIRE(got.has_value());
  BOOST_CHECK(as_text(got->bytes) == much);
}

BOOST_AUTO_TEST_CASE(the_end_a_lie_and_time_are_told_apart) {
  line silent;
  BOOST_TEST((silent.theirs.receive(1ms).error() == errc::timed_out));
  line ended;
  ended.ends.first = parcel_socket(net::descriptor());
  BOOST_TEST((ended.theirs.receive(5s).error() == errc::end_of_stream));
  BOOST_TEST((ended.theirs.send(as_bytes("x"), 5s).error() == errc::end_of_stream));

  std::array<std::byte, 9> head{};
  store_le64(head, net::parcel_limit + 1);
  line too_long;
  too_long.say(head);
  BOOST_TEST((too_long.theirs.receive(5s).error() == errc::broken_frame));
  store_le64(head, 0);
  head.back() = std::byte{1}; // a descriptor is promised, and none comes
  line empty_handed;
  empty_handed.say(head);
  BOOST_TEST((empty_handed.theirs.receive(5s).error() == errc::broken_frame));
  head.back() = std::byte{0};
  store_le64(head, 10);
  line halfway;
  halfway.say(head);
  halfway.ends.first = parcel_socket(net::descriptor());
  BOOST_TEST((halfway.theirs.receive(5s).error() == errc::end_of_stream));
}

BOOST_AUTO_TEST_CASE(whoever_takes_nothing_is_not_waited_for_for_ever) {
  line on;
  const std::string much(5 * 1024 * 1024, 'x');
  BOOST_TEST((on.ours.send(as_bytes(much), 20ms).error() == errc::timed_out));
}

BOOST_AUTO_TEST_CASE(waiting_among_other_tasks) {
  run([](log_capture&) -> asio::awaitable<void> {
    line on;
    const bool early = co_await on.theirs.readable(1ms);
    BOOST_TEST(!early);
    BOOST_TEST(on.ours.send(as_bytes("x"), 5s).has_value());
    const bool then = co_await on.theirs.readable(5s);
    BOOST_TEST(then);
    BOOST_TEST(as_text(on.theirs.receive(5s)->bytes) == "x");
    on.ends.first = parcel_socket(net::descriptor());
    const bool end = co_await on.theirs.readable(5s);
    BOOST_TEST(end);
  });
}

BOOST_AUTO_TEST_SUITE_END()
