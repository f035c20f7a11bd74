#include "gotunnel/net/pump.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <optional>

namespace gotunnel::net {
namespace {

/// Sees to it that the end of `from` is not held up by a `to` that takes nothing, once `from` has failed.
/// Small, for every visitor has two of them as long as it is idle.
class failure_watch {
public:
  failure_watch(const executor& where, stream& from, stream& to, const std::uint64_t& carried,
                duration patience)
      : where_(where), from_(from), to_(to), carried_(carried), patience_(patience) {
    from_.on_failure([this] { begin(); });
  }
  failure_watch(const failure_watch&) = delete;
  failure_watch& operator=(const failure_watch&) = delete;
  ~failure_watch() { from_.on_failure({}); }

  void begin() {
    const std::uint64_t before = carried_;
    late_.emplace(where_, patience_, [this, before] {
      if (carried_ != before) return begin();
      to_.close(ending::abort);
    });
  }

private:
  const executor& where_;
  stream& from_;
  stream& to_;
  const std::uint64_t& carried_;
  duration patience_;
  std::optional<deadline> late_;
};

// One direction, until the end of `from`, which it hands on as a half-close, or a failure. One coroutine, for
// each visitor has two of them as long as it is idle.

/// Nothing of `from` is held while `to` does not want it.
asio::awaitable<void> pump_source(stream& from, stream& to, std::uint64_t& carried, error_code& failure,
                                  failure_watch& of_to) {
  for (;;) {
    const auto ready = co_await from.wait_readable();
    if (!ready) {
      to.close(ending::abort);
      if (!failure) failure = ready.error();
      break;
    }
    const auto taken = co_await to.write_from(*from.source());
    if (!taken) {
      if (!failure) failure = taken.error();
      of_to.begin();
      break;
    }
    carried += taken->count;
    if (taken->last) break;
  }
}

asio::awaitable<void> pump_loans(stream& from, stream& to, std::uint64_t& carried, error_code& failure,
                                 failure_watch& of_to) {
  result<> outcome;
  while (outcome) {
    const auto bytes = co_await from.read();
    if (!bytes) {
      to.close(ending::abort);
      outcome = bytes.error();
      break;
    }
    if (bytes->empty()) {
      outcome = co_await to.shut();
      break;
    }
    const bool last = from.at_end();
    if (last)
      outcome = co_await to.write_last(*bytes);
    else
      outcome = co_await to.write(*bytes);
    if (!outcome) break;
    carried += bytes->size();
    from.consume(bytes->size());
    if (last) break;
  }
  if (outcome) co_return;
  if (!failure) failure = outcome.error();
  of_to.begin();
}

/// `of_to` watches the other direction, which a `to` that cannot be written any more may hold up.
asio::awaitable<void> pump(stream& from, stream& to, std::uint64_t& carried, error_code& failure,
                           failure_watch& of_to) {
  return from.source() != nullptr ? pump_source(from, to, carried, failure, of_to)
                                  : pump_loans(from, to, carried, failure, of_to);
}

} // namespace

asio::awaitable<pump_totals> splice(stream& a, stream& b, duration patience) {
  const auto where = co_await asio::this_coro::executor;
  pump_totals totals;
  failure_watch watch_a(where, a, b, totals.a_to_b, patience);
  failure_watch watch_b(where, b, a, totals.b_to_a, patience);
  task_group beside(where, "net");
  std::exception_ptr thrown;
  try {
    beside.spawn("pump", pump(b, a, totals.b_to_a, totals.failure, watch_a));
    co_await pump(a, b, totals.a_to_b, totals.failure, watch_b);
    while (beside.size() > 0) co_await beside.emptied().wait();
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
