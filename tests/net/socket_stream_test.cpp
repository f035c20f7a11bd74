#include "gotunnel/net/socket_stream.hpp"

#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include "support/print_error.hpp"
#include "support/run.hpp"
#include "support/sockets.hpp"

#include <boost/system/errc.hpp>

#include <sys/ioctl.h>

using namespace gotunnel;
using namespace gotunnel::testing;
using net::socket_stream;
using purpose = net::socket_stream::purpose;

namespace {

asio::awaitable<void> send(net::stream& to, std::size_t size, error_code& outcome) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 / 3);
  const auto sent = co_await to.write(bytes);
  if (!sent) outcome = sent.error();
  if (sent) [[maybe_unused]]
    const auto shut = co_await to.shut();
}

asio::awaitable<void> receive(net::stream& from, std::size_t& size, bool& intact) {
  for (;;) {
    const auto bytes = co_await from.read();
    if (!bytes || bytes->empty()) co_return;
    // Not always all of it: what is not consumed must be lent again.
    const std::size_t used = bytes->size() > 100 ? bytes->size() - 50 : bytes->size();
    for (std::size_t i = 0; i < used; ++i)
      intact &= (*bytes)[i] == static_cast<std::byte>((size + i) * 7 / 3);
    size += used;
    from.consume(used);
  }
}

asio::awaitable<void> read_once(net::stream& from, error_code& outcome) {
  const auto bytes = co_await from.read();
  if (!bytes) outcome = bytes.error();
}

/// A read and a write that wait: nothing comes, and so much does not fit.
struct stuck {
  stuck(const net::executor& where, socket_stream& on) : tasks(where, "test") {
    tasks.spawn("read", read_once(on, read_outcome));
    tasks.spawn("write", send(on, 64 << 20, write_outcome));
  }
  error_code read_outcome;
  error_code write_outcome;
  net::task_group tasks;
};

int unread(const connection& c) {
  int size = 0;
  ::ioctl(c.far.descriptor(), FIONREAD, &size);
  return size;
}

/// Writes until the kernel takes no more and nothing of it is still on its way.
asio::awaitable<void> fill(connection& c) {
  net::task_group tasks(co_await asio::this_coro::executor, "test");
  error_code outcome;
  tasks.spawn("fill", send(c.near, 64 << 20, outcome));
  for (int still = 0, last = -1; still < 10;) {
    co_await pause(2ms);
    const int now = unread(c);
    still = now == last ? still + 1 : 0;
    last = now;
  }
  BOOST_TEST(tasks.size() == 1U);
  tasks.cancel();
  co_await tasks.join();
}

} // namespace

BOOST_AUTO_TEST_SUITE(socket_stream_test)

BOOST_AUTO_TEST_CASE(much_passes_both_ways_at_once) {
  for (const purpose use : {purpose::carrier, purpose::visitor}) {
    run([use](log_capture&) -> asio::awaitable<void> {
      const auto where = co_await asio::this_coro::executor;
      connection c(where, use);
      socket_stream other(adopt(where, std::move(c.far)), use, "other");
      constexpr std::size_t size = 5'000'003;
      std::size_t there = 0;
      std::size_t here = 0;
      bool intact = true;
      error_code outcome;
      net::task_group tasks(where, "test");
      tasks.spawn("send", send(c.near, size, outcome));
      tasks.spawn("send", send(other, size, outcome));
      tasks.spawn("receive", receive(c.near, here, intact));
      tasks.spawn("receive", receive(other, there, intact));
      co_await tasks.join();
      BOOST_TEST(!outcome);
      BOOST_TEST(there == size);
      BOOST_TEST(here == size);
      BOOST_TEST(intact);
    });
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_consumed_is_lent_again) {
  run([](log_capture&) -> asio::awaitable<void> {
    connection c(co_await asio::this_coro::executor, purpose::visitor);
    c.far.write("abcdef");
    const auto first = co_await c.near.read();
    BOOST_TEST(as_text(first.value()) == "abcdef");
    c.near.consume(2);
    const auto second = co_await c.near.read();
    BOOST_TEST(as_text(second.value()) == "cdef");
    c.near.consume(4);
    c.far.write("g");
    const auto third = co_await c.near.read();
    BOOST_TEST(as_text(third.value()) == "g");
  });
}

BOOST_AUTO_TEST_CASE(a_half_close_ends_one_direction_only) {
  run([](log_capture&) -> asio::awaitable<void> {
    connection c(co_await asio::this_coro::executor, purpose::visitor);
    c.far.shutdown_write();
    const auto end = co_await c.near.read();
    BOOST_TEST(end.value().empty());
    const auto again = co_await c.near.read();
    BOOST_TEST(again.value().empty());
    const auto sent = co_await c.near.write(as_bytes("still here"));
    BOOST_TEST(sent.has_value());
    const auto shut = co_await c.near.shut();
    BOOST_TEST(shut.has_value());
    BOOST_TEST(c.far.read(100) == "still here");
  });
}

BOOST_AUTO_TEST_CASE(the_end_comes_with_the_last_bytes) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    for (const bool in_time : {true, false}) {
      const loopback_listener door;
      net::tune_tcp(door.descriptor());
      const auto far = loopback_socket::connect(door.port());
      socket_stream near(adopt(where, door.accept()), purpose::visitor, "test");
      far.write("bye");
      if (in_time) far.shutdown_write();
      const auto last = co_await near.read();
      BOOST_TEST(as_text(last.value()) == "bye");
      BOOST_TEST(near.at_end() == in_time);
      near.consume(3);
      if (!in_time) far.shutdown_write();
      const auto end = co_await near.read();
      BOOST_TEST(end.value().empty());
      BOOST_TEST(near.at_end());
    }
  });
}

BOOST_AUTO_TEST_CASE(a_reset_behind_the_last_bytes_is_no_end) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    const loopback_listener door;
    net::tune_tcp(door.descriptor());
    auto far = loopback_socket::connect(door.port());
    socket_stream near(adopt(where, door.accept()), purpose::visitor, "test");
    far.write("bye");
    std::array<std::byte, 100> room;
    const auto there = near.take(room);
    BOOST_TEST(as_text(bytes_view(room).first(there.count)) == "bye");
    const linger at_once{1, 0};
    ::setsockopt(far.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    far = loopback_socket();
    const auto after = near.take(room);
    BOOST_TEST(after.count == 0U);
    BOOST_TEST(!after.last);
    for (int i = 0; i < 2; ++i) {
      const auto got = co_await near.read();
      BOOST_TEST((got.error() == boost::system::errc::connection_reset));
    }
    BOOST_TEST(!near.at_end());
  });
}

BOOST_AUTO_TEST_CASE(the_last_bytes_go_with_the_end) {
  run([](log_capture&) -> asio::awaitable<void> {
    connection c(co_await asio::this_coro::executor, purpose::visitor);
    const auto sent = co_await c.near.write_last(as_bytes("bye"));
    BOOST_TEST(sent.has_value());
    BOOST_TEST(c.far.read(100) == "bye");
    c.far.write("still here");
    const auto got = co_await c.near.read();
    BOOST_TEST(as_text(got.value()) == "still here");
  });
}

BOOST_AUTO_TEST_CASE(what_has_ended_both_ways_is_closed) {
  run([](log_capture&) -> asio::awaitable<void> {
    connection c(co_await asio::this_coro::executor, purpose::visitor);
    c.far.shutdown_write();
    const auto end = co_await c.near.read();
    BOOST_TEST(end.value().empty());
    const auto sent = co_await c.near.write_last(as_bytes("bye"));
    BOOST_TEST(sent.has_value());
    BOOST_TEST(c.far.read(100) == "bye");
    const auto late = co_await c.near.write(as_bytes("x"));
    BOOST_TEST((late.error() == errc::closed));
    const auto again = co_await c.near.read();
    BOOST_TEST(again.value().empty());
  });
}

BOOST_AUTO_TEST_CASE(a_graceful_close_is_a_fin_and_an_abrupt_one_a_reset) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    connection graceful(where, purpose::visitor);
    graceful.near.close(net::ending::graceful);
    graceful.near.close(net::ending::abort); // too late to matter
    BOOST_TEST(graceful.far.ended());

    connection abrupt(where, purpose::visitor);
    abrupt.near.close(net::ending::abort);
    BOOST_CHECK_EXCEPTION(abrupt.far.read(1), std::system_error,
                          [](const auto& e) { return e.code() == std::errc::connection_reset; });

    auto dropped = std::make_unique<connection>(where, purpose::carrier);
    loopback_socket far = std::move(dropped->far);
    dropped.reset();
    BOOST_CHECK_THROW((void)far.read(1), std::system_error);
  });
}

BOOST_AUTO_TEST_CASE(a_reset_by_the_peer_is_an_error_of_read_and_write) {
  run([](log_capture&) -> asio::awaitable<void> {
    connection c(co_await asio::this_coro::executor, purpose::visitor);
    const linger at_once{1, 0};
    ::setsockopt(c.far.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    c.far = loopback_socket();
    const auto got = co_await c.near.read();
    BOOST_TEST((got.error() == boost::system::errc::connection_reset));
    const auto sent = co_await c.near.write(as_bytes("x"));
    BOOST_TEST((sent.error() == boost::system::errc::broken_pipe)); // an error, and no signal
  });
}

BOOST_AUTO_TEST_CASE(closing_ends_what_waits_and_everything_after) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    connection c(where, purpose::visitor);
    co_await fill(c);
    stuck waiting(where, c.near);
    co_await yield(5);
    BOOST_TEST(waiting.tasks.size() == 2U);
    c.near.close(net::ending::abort);
    co_await waiting.tasks.join();
    BOOST_TEST(!!waiting.read_outcome);
    BOOST_TEST(!!waiting.write_outcome);
    const auto got = co_await c.near.read();
    BOOST_TEST((got.error() == errc::closed));
    const auto sent = co_await c.near.write(as_bytes("x"));
    BOOST_TEST((sent.error() == errc::closed));
    const auto shut = co_await c.near.shut();
    BOOST_TEST((shut.error() == errc::closed));
    const auto writable = co_await c.near.wait_writable();
    BOOST_TEST((writable.error() == errc::closed));
    BOOST_TEST((c.near.round_trip() == duration::zero()));
  });
}

BOOST_AUTO_TEST_CASE(writable_means_that_a_write_leaves_at_once) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    connection c(where, purpose::carrier);
    const auto at_once = co_await c.near.wait_writable();
    BOOST_TEST(at_once.has_value());
    co_await fill(c);

    bool writable = false;
    const auto wait = [](net::stream& on, bool& done) -> asio::awaitable<void> {
      const auto ready = co_await on.wait_writable();
      done = ready.has_value();
    };
    net::task_group tasks(where, "test");
    tasks.spawn("wait", wait(c.near, writable));
    co_await pause(5ms);
    BOOST_TEST(!writable);
    // Drains until it is; how much that takes is the kernel's business.
    c.far.set_nonblocking();
    std::vector<char> sink(1 << 20);
    const auto drained = [&] {
      while (::recv(c.far.descriptor(), sink.data(), sink.size(), 0) > 0) {
      }
      return writable;
    };
    co_await until(drained);
    co_await tasks.join();
  });
}

BOOST_AUTO_TEST_CASE(waiting_operations_can_be_cancelled) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    connection c(where, purpose::visitor);
    co_await fill(c);
    stuck waiting(where, c.near);
    co_await yield(5);
    waiting.tasks.cancel();
    co_await waiting.tasks.join();
    // The stream itself is unharmed.
    c.far.write("hello");
    const auto got = co_await c.near.read();
    BOOST_TEST(as_text(got.value()) == "hello");
  });
}

BOOST_AUTO_TEST_CASE(a_unix_socket_is_a_stream_too) {
  run([](log_capture&) -> asio::awaitable<void> {
    const auto where = co_await asio::this_coro::executor;
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    socket_stream a(adopt(where, ends[0]), purpose::visitor, "a");
    socket_stream b(adopt(where, ends[1]), purpose::visitor, "b");
    const auto sent = co_await a.write(as_bytes("hello"));
    BOOST_TEST(sent.has_value());
    const auto got = co_await b.read();
    BOOST_TEST(as_text(got.value()) == "hello");
    BOOST_TEST((a.round_trip() == duration::zero()));
    BOOST_TEST(a.peer() == "a");
  });
}

BOOST_AUTO_TEST_CASE(a_connection_goes_on_elsewhere_from_where_a_write_was) {
  run([](log_capture&) -> asio::awaitable<void> {
    connection on(co_await asio::this_coro::executor, purpose::visitor);
    const net::descriptor copy(::dup(on.near.handle()));
    {
      stuck waits(co_await asio::this_coro::executor, on.near);
      co_await until([&] { return on.near.written() > 0 && unread(on) > 0; });
      co_await yield(5);
      const std::size_t sent = on.near.written();
      on.near.leave();
      BOOST_TEST(!on.near.sound());
      co_await waits.tasks.join();
      BOOST_TEST(waits.read_outcome.failed());
      BOOST_TEST(waits.write_outcome.failed());
      BOOST_TEST(on.near.written() == 0U);
      on.near.close(net::ending::abort); // says nothing any more
      BOOST_TEST(on.far.read(sent).size() == sent);
    }
    BOOST_TEST(::send(copy.get(), "still", 5, 0) == 5);
    BOOST_TEST(on.far.read(5) == "still");
  });
}

BOOST_AUTO_TEST_CASE(to_say_that_all_is_said_to_nobody_is_no_failure) {
  run([](log_capture&) -> asio::awaitable<void> {
    connection on(co_await asio::this_coro::executor, purpose::visitor);
    const auto first = co_await on.near.shut();
    BOOST_TEST(first.has_value());
    BOOST_TEST(on.far.ended());
    on.far.shutdown_write();
    // As in a process that goes on with the connection: it has not read that end.
    const auto again = co_await on.near.shut();
    BOOST_TEST(again.has_value());
    const auto end = co_await on.near.read();
    BOOST_TEST((end.has_value() && end->empty()));
  });
}

BOOST_AUTO_TEST_SUITE_END()
