#include "gotunnel/net/pump.hpp"

#include "gotunnel/net/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
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

/// One direction that runs beside the other.
struct direction {
  explicit direction(const executor& where) : ended(where) {}

  signal ended;
  bool over = false;
};

asio::awaitable<void> pump_and_tell(stream& from, stream& to, std::uint64_t& carried, error_code& failure,
                                    direction& self) {
  const auto outcome = co_await pump(from, to, carried);
  if (!outcome && !failure) failure = outcome.error();
  self.over = true;
  self.ended.notify();
}

} // namespace

asio::awaitable<pump_totals> splice(stream& a, stream& b) {
  const auto where = co_await asio::this_coro::executor;
  pump_totals totals;
  direction forth(where);
  direction back(where);
  task_group beside(where, "net");
  std::exception_ptr thrown;
  try {
    beside.spawn("pump", pump_and_tell(b, a, totals.b_to_a, totals.failure, back));
    co_await pump_and_tell(a, b, totals.a_to_b, totals.failure, forth);
    while (!back.over) co_await back.ended.wait();
  } catch (...) {
    thrown = std::current_exception();
  }
  // A cancelled operation may have ended by value; then nothing is thrown yet, and the next await would
  // throw.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = thrown || state.cancelled() != asio::cancellation_type::none;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  // Closed streams end the other direction.
  const ending how = totals.failure || cancelled ? ending::abort : ending::graceful;
  a.close(how);
  b.close(how);
  co_await beside.join();
  if (thrown) std::rethrow_exception(thrown);
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
  co_return totals;
}

} // namespace gotunnel::net
