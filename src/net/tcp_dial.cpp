#include "gotunnel/net/tcp.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/last_error.hpp"
#include "gotunnel/net/resolver.hpp"
#include "gotunnel/net/task_group.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <type_traits>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

namespace gotunnel::net {
namespace {

using tcp = asio::ip::tcp;

// RFC 8305, section 8: Connection Attempt Delay.
constexpr duration attempt_delay = 250ms;

/// Families in turn, the resolver's first choice first (RFC 8305, section 4).
endpoints interleave(const resolver::addresses& found, std::uint16_t port) {
  endpoints same;
  endpoints other;
  for (const auto& address : found)
    (address.is_v6() == found.front().is_v6() ? same : other).emplace_back(address, port);
  endpoints order;
  for (std::size_t i = 0; i < std::max(same.size(), other.size()); ++i) {
    if (i < same.size()) order.push_back(same[i]);
    if (i < other.size()) order.push_back(other[i]);
  }
  return order;
}

} // namespace

task<endpoints> resolve(const wire::host_port& address, duration limit) {
  error_code ec;
  const auto literal = asio::ip::make_address(address.host, ec);
  if (!ec) co_return endpoints{tcp::endpoint(literal, address.port)};
  const auto found = co_await resolver::of_process().find(address.host, limit);
  if (!found) co_return found.error();
  co_return interleave(**found, address.port);
}

namespace {

void tune(tcp::socket& socket, const tcp::endpoint& to) {
  if (to.address().is_loopback())
    tune_near_tcp(socket.native_handle());
  else
    tune_tcp(socket.native_handle());
}

struct manner {
  bool speaks = false;
  int max_segment = 0;
};

enum class progress { stands, under_way };

/// Within one machine a connection stands at once. Then no timer need be set, and nothing be waited for.
template <class Socket>
result<progress> begin(Socket& socket, const typename Socket::endpoint_type& to, manner how) {
  error_code ec;
  socket.open(to.protocol(), ec);
  if (!ec) socket.non_blocking(true, ec);
  if (ec) return ec;
  if (how.speaks) let_ack_wait(socket.native_handle());
  if (how.max_segment > 0) limit_segments(socket.native_handle(), how.max_segment);
  if (::connect(socket.native_handle(), to.data(), static_cast<socklen_t>(to.size())) == 0)
    return progress::stands;
  if (errno != EINPROGRESS) return last_error();
  pollfd question{socket.native_handle(), POLLOUT, 0};
  const bool stands = ::poll(&question, 1, 0) == 1 && question.revents == POLLOUT;
  return stands ? progress::stands : progress::under_way;
}

/// What became of it, once the socket is writable.
template <class Socket>
result<> outcome(Socket& socket) {
  int failure = 0;
  socklen_t size = sizeof failure;
  if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &failure, &size) != 0) return last_error();
  if (failure != 0) return error_code(failure, boost::system::system_category());
  return {};
}

/// The reactor does not forget that somebody once waited to write, and would wake us for that at every wait
/// to read: as another socket, this one is new to it.
template <class Socket>
result<any_socket> renewed(Socket& socket) {
  error_code ec;
  const auto protocol = socket.local_endpoint(ec).protocol();
  descriptor held(ec ? -1 : socket.release(ec));
  any_socket fresh(socket.get_executor());
  if (!ec) fresh.assign(protocol, held.get(), ec);
  if (ec) return ec;
  static_cast<void>(held.release());
  return fresh;
}

/// One address, one attempt.
template <class Protocol>
task<any_socket> connect_one(typename Protocol::endpoint to, duration limit, manner how) {
  const auto where = co_await asio::this_coro::executor;
  typename Protocol::socket socket(where);
  const auto begun = begin(socket, to, how);
  if (!begun) co_return begun.error();
  if constexpr (std::is_same_v<Protocol, tcp>) tune(socket, to);
  if (*begun == progress::stands) co_return any_socket(std::move(socket));

  error_code ignored;
  deadline late(where, limit, [&] { socket.close(ignored); });
  auto [ec] = co_await socket.async_wait(Protocol::socket::wait_write, token);
  if (late.expired()) co_return errc::timed_out;
  if (ec == asio::error::operation_aborted) throw boost::system::system_error(ec); // cancelled
  if (ec) co_return ec;
  const auto connected = outcome(socket);
  if (!connected) co_return connected.error();
  co_return renewed(socket);
}

/// The attempts of one dial; the first success wins. Lives in the frame of connect_any().
struct race {
  explicit race(const executor& where) : changed(where), attempts(where, "net") {}

  signal changed;
  task_group attempts;
  std::size_t running = 0;
  std::optional<tcp::socket> winner;
  error_code failure = errc::timed_out;
};

asio::awaitable<void> attempt(race& all, tcp::endpoint to) {
  tcp::socket socket(all.attempts.where());
  auto [ec] = co_await socket.async_connect(to, token);
  --all.running;
  if (!ec) tune(socket, to);
  if (ec)
    all.failure = ec;
  else if (!all.winner)
    all.winner.emplace(std::move(socket));
  all.changed.notify();
}

task<any_socket> connect_any(const endpoints& order, duration limit) {
  const auto where = co_await asio::this_coro::executor;
  race all(where);
  deadline late(where, limit, [&] { all.changed.notify(); });
  std::exception_ptr thrown;
  try {
    for (std::size_t next = 0; !all.winner && !late.expired() && (next < order.size() || all.running > 0);) {
      if (next < order.size()) {
        ++all.running;
        all.attempts.spawn("connect", attempt(all, order[next++]));
      }
      deadline head_start(where, next < order.size() ? attempt_delay : limit, [&] { all.changed.notify(); });
      co_await all.changed.wait();
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  // Cancelled in the very turn in which the race ended, nothing is thrown yet, and the next await would
  // throw.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  all.attempts.cancel();
  co_await all.attempts.join();
  if (thrown) std::rethrow_exception(thrown);
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
  if (all.winner) co_return renewed(*all.winner);
  co_return late.expired() ? make_error_code(errc::timed_out) : all.failure;
}

} // namespace

task<any_socket> dial(wire::host_port address, duration limit, bool speaks) {
  const auto begin = std::chrono::steady_clock::now();
  const auto order = co_await resolve(address, limit);
  if (!order) co_return order.error();
  const duration left = limit - (std::chrono::steady_clock::now() - begin);
  const manner how{.speaks = speaks};
  auto socket = order->size() == 1 ? connect_one<tcp>(order->front(), left, how) : connect_any(*order, left);
  auto connected = co_await std::move(socket);
  if (!connected) resolver::of_process().doubt(address.host); // the name may lead elsewhere by now
  co_return connected;
}

task<any_socket> dial(wire::unix_path path, duration limit) {
  using local = asio::local::stream_protocol;
  const manner plain;
  co_return co_await connect_one<local>(local::endpoint(path.path), limit, plain);
}

task<any_socket> dial(tcp::endpoint to, duration limit, int max_segment) {
  const manner how{.max_segment = max_segment};
  co_return co_await connect_one<tcp>(std::move(to), limit, how);
}

} // namespace gotunnel::net
