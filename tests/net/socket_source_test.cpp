// A socket as a source of bytes (base/byte_source); as a stream it is in socket_stream_test.cpp.
#include "gotunnel/net/socket_stream.hpp"

#include "gotunnel/net/tcp_options.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/sockets.hpp"

#include <boost/system/errc.hpp>

#include <array>

using namespace gotunnel;
using namespace gotunnel::testing;
using net::socket_stream;
using purpose = net::socket_stream::purpose;

BOOST_AUTO_TEST_SUITE(socket_source_test)

BOOST_AUTO_TEST_CASE(what_has_come_is_taken_when_it_is_wanted) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const loopback_listener door;
    net::tune_tcp(door.descriptor());
    const auto far = loopback_socket::connect(door.port());
    socket_stream near(adopt(where, door.accept()), purpose::visitor, "test");
    BOOST_TEST(near.source() == &near);
    near.put_back(as_bytes("from before"));
    std::array<std::byte, 6> room;
    const auto take = [&](std::string_view text, bool last) {
      const auto got = near.take(room);
      BOOST_TEST(as_text(bytes_view(room).first(got.count)) == text);
      BOOST_TEST(got.last == last);
    };
    far.write("abcdefgh");
    for (const auto* const text : {"from b", "efore", "abcdef", "gh"}) {
      const auto ready = co_await near.wait_readable();
      BOOST_TEST(ready.has_value());
      take(text, false);
    }
    take("", false);
    BOOST_TEST((near.look() == byte_source::next::nothing));
    far.write("xyz");
    far.shutdown_write();
    const auto ready = co_await near.wait_readable();
    BOOST_TEST(ready.has_value());
    BOOST_TEST((near.look() == byte_source::next::bytes));
    take("xyz", true);
    take("", true);
    const auto end = co_await near.wait_readable();
    BOOST_TEST(end.has_value());
  });
}

BOOST_AUTO_TEST_CASE(who_looks_sees_the_end_or_the_failure_and_so_does_everybody_after) {
  for (const bool reset : {false, true}) {
    run([reset](log_capture&) -> asio::awaitable<void> {
      connection c(co_await asio::this_coro::executor, purpose::visitor);
      const linger at_once{1, 0};
      if (reset) ::setsockopt(c.far.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      c.far = loopback_socket();
      const auto ready = co_await c.near.wait_readable();
      BOOST_TEST(ready.has_value());
      std::array<std::byte, 100> room;
      for (int i = 0; i < 2; ++i) {
        BOOST_TEST((c.near.look() == (reset ? byte_source::next::failure : byte_source::next::end)));
        const auto got = c.near.take(room); // the kernel tells a failure once
        BOOST_TEST(got.count == 0U);
        BOOST_TEST(got.last == !reset);
      }
      const auto after = co_await c.near.wait_readable();
      BOOST_TEST(after.has_value() == !reset);
      BOOST_TEST(c.near.sound() == !reset);
      BOOST_TEST(c.near.at_end() == !reset);
    });
  }
}

// The kernel tells the writer of the reset, and shows the reader an end.
BOOST_AUTO_TEST_CASE(a_reset_that_a_write_was_told_is_no_end) {
  for (const bool by_looking : {false, true}) {
    run([by_looking](log_capture&) -> asio::awaitable<void> {
      connection c(co_await asio::this_coro::executor, purpose::visitor);
      c.far.write("half of it");
      const linger at_once{1, 0};
      ::setsockopt(c.far.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      c.far = loopback_socket();
      const auto sent = co_await c.near.write(as_bytes("x"));
      BOOST_TEST((sent.error() == boost::system::errc::connection_reset));
      BOOST_TEST(!c.near.sound());
      std::array<std::byte, 100> room;
      for (int i = 0; i < 3; ++i) {
        if (by_looking && i > 0) BOOST_TEST((c.near.look() == byte_source::next::failure));
        BOOST_TEST(!c.near.take(room).last);
      }
      const auto end = co_await c.near.read();
      BOOST_TEST((end.error() == boost::system::errc::connection_reset));
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
