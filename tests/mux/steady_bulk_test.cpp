// A visitor's bytes on all of their way, from socket to socket through two sessions over TLS: once it is
// warm, a transfer asks for no memory.
#include "mux/bench.hpp"

#include "gotunnel/net/pump.hpp"
#include "gotunnel/net/tls_stream.hpp"

#include "support/allocation_counter.hpp"
#include "support/sockets.hpp"
#include "support/tls_contexts.hpp"

#include <array>
#include <thread>

using namespace gotunnel;
using namespace gotunnel::testing;

namespace {

constexpr std::size_t warm_up = std::size_t{16} << 20;
constexpr std::size_t measured = std::size_t{64} << 20;
using chunk = std::array<std::byte, 128 * 1024>;

/// One tunnel: a visitor, two sessions with TLS over TCP between them, a local service.
struct tunnel {
  using purpose = net::socket_stream::purpose;

  explicit tunnel(const net::executor& where)
      : visitor(where, purpose::visitor), local(where, purpose::visitor), tasks(where, "test") {
    const loopback_listener door;
    auto dialled = loopback_socket::connect(door.port());
    near =
        std::make_unique<net::tls_stream>(*tls_contexts::common().client, carrier(where, std::move(dialled)));
    far = std::make_unique<net::tls_stream>(*tls_contexts::common().server, carrier(where, door.accept()));
  }

  static net::stream_ptr carrier(const net::executor& where, loopback_socket socket) {
    return std::make_unique<net::socket_stream>(adopt(where, std::move(socket)), purpose::carrier, "test");
  }

  static asio::awaitable<void> shake(net::tls_stream& which) {
    const auto done = co_await which.handshake();
    BOOST_TEST_REQUIRE(done.has_value());
  }

  static asio::awaitable<void> keep(mux::session& which) {
    [[maybe_unused]] const error_code why = co_await which.run();
  }

  asio::awaitable<void> start() {
    tasks.spawn("near handshake", shake(*near));
    tasks.spawn("far handshake", shake(*far));
    co_await tasks.join();
    const auto where = tasks.where();
    client = std::make_shared<mux::session>(where, std::move(near), config(wire::smux_role::client), 60s);
    server = std::make_shared<mux::session>(where, std::move(far), config(wire::smux_role::server), 60s);
    tasks.spawn("client", keep(*client));
    tasks.spawn("server", keep(*server));
    auto opened = client->open();
    BOOST_TEST_REQUIRE(opened.has_value());
    inside = std::move(*opened);
    auto accepted = co_await server->accept();
    BOOST_TEST_REQUIRE(accepted.has_value());
    beyond = std::move(*accepted);
  }

  static wire::smux_config config(wire::smux_role role) {
    auto made = mux_config(role);
    made.max_frame = wire::native_max_frame;
    made.resumable = true;
    return made;
  }

  asio::awaitable<void> finish() {
    client->close(errc::closed);
    co_await tasks.join();
  }

  connection visitor, local;
  std::unique_ptr<net::tls_stream> near, far;
  mux::session_ptr client, server;
  mux::mux_stream_ptr inside, beyond;
  net::task_group tasks;
};

asio::awaitable<void> carry(net::stream& one, net::stream& other) {
  const auto totals = co_await net::splice(one, other);
  BOOST_TEST(!totals.failure);
}

void pour(const loopback_socket& into) {
  static const chunk bytes{};
  for (std::size_t left = warm_up + measured; left > 0; left -= bytes.size()) into.write(as_text(bytes));
  into.shutdown_write();
}

struct drained {
  std::size_t bytes = 0;
  std::size_t asked_when_warm = 0;
  std::size_t asked_at_end = 0;
};

void drain(const loopback_socket& from, drained& into) {
  static chunk bytes;
  while (into.bytes < warm_up + measured) {
    const ssize_t count = ::recv(from.descriptor(), bytes.data(), bytes.size(), 0);
    if (count <= 0) break;
    const bool was_warm = into.bytes >= warm_up;
    into.bytes += static_cast<std::size_t>(count);
    if (!was_warm && into.bytes >= warm_up) into.asked_when_warm = allocations();
    into.asked_at_end = allocations();
  }
  from.shutdown_write();
}

} // namespace

BOOST_AUTO_TEST_SUITE(steady_bulk)

BOOST_AUTO_TEST_CASE(asks_for_no_memory_once_it_is_warm) {
  drained result;
  // Not testing::run(): its run_for() drops what Asio keeps of a thread's memory after every turn. The
  // sockets give up by themselves.
  boost::asio::io_context context(1);
  const auto body = [&]() -> asio::awaitable<void> {
    tunnel way(context.get_executor());
    co_await way.start();
    net::task_group visit(context.get_executor(), "test");
    visit.spawn("visitor", carry(way.visitor.near, *way.inside));
    visit.spawn("local", carry(*way.beyond, way.local.near));
    std::thread source([&] { pour(way.visitor.far); });
    std::thread sink([&] { drain(way.local.far, result); });
    co_await visit.join();
    source.join();
    sink.join();
    co_await way.finish();
  };
  asio::co_spawn(context, body, [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  });
  context.run();
  BOOST_TEST(result.bytes == warm_up + measured);
  // A few in 64 MiB, for the keeper's timer may fall into them; one a record would be 4,096.
  BOOST_TEST(result.asked_at_end - result.asked_when_warm <= 8u);
}

BOOST_AUTO_TEST_SUITE_END()
