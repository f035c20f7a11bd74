#include "gotunnel/net/pump.hpp"

#include "gotunnel/net/task_group.hpp"

#include <boost/asio/this_coro.hpp>

namespace gotunnel::net {
namespace {

/// One direction. Ends well with the end of `from`, which it hands on as a half-close.
task<> pump(stream& from, stream& to, std::uint64_t& carried) {
  for (;;) {
    auto bytes = co_await from.read();
    if (!bytes) {
      to.close(ending::abort);
      co_return bytes.error();
    }
    if (bytes->empty()) co_return co_await to.shut();
    const auto written = co_await to.write(*bytes);
    if (!written) co_return written.error();
    carried += bytes->size();
    from.consume(bytes->size());
  }
}

asio::awaitable<void> pump_and_tell(stream& from, stream& to, std::uint64_t& carried, error_code& failure) {
  const auto outcome = co_await pump(from, to, carried);
  if (!outcome && !failure) failure = outcome.error();
}

} // namespace

asio::awaitable<pump_totals> splice(stream& a, stream& b) {
  pump_totals totals;
  task_group back(co_await asio::this_coro::executor, "net");
  std::exception_ptr cancelled;
  try {
    back.spawn("pump", pump_and_tell(b, a, totals.b_to_a, totals.failure));
    co_await pump_and_tell(a, b, totals.a_to_b, totals.failure);
  } catch (...) {
    // Cancelled: the other direction ends because its streams are closed below, then the exception goes on.
    cancelled = std::current_exception();
  }
  if (cancelled) {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    a.close(ending::abort);
    b.close(ending::abort);
  }
  co_await back.join();
  const ending how = totals.failure || cancelled ? ending::abort : ending::graceful;
  a.close(how);
  b.close(how);
  if (cancelled) std::rethrow_exception(cancelled);
  co_return totals;
}

} // namespace gotunnel::net
