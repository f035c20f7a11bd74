#include "gotunnel/link/address_race.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace gotunnel::link {
namespace {

// RFC 8305, section 8: Connection Attempt Delay.
constexpr duration attempt_delay = 250ms;
// A handshake takes two round trips, and a busy server some time.
constexpr duration silence_limit = 1s;
constexpr duration small_segments_after = 3s;
// An attempt that is younger need not be made anew; doubled each time, so that a way that changes again and
// again does not fill the server's waiting room.
constexpr duration first_again_after = 1s;

int rank(const error_code& why) {
  if (why == errc::wrong_secret || why == errc::refused || why == errc::downgraded ||
      why == errc::seed_peer_refused)
    return 4;
  if (why == errc::untrusted_server || why == errc::wrong_server_name || why == errc::certificate_expired)
    return 3;
  if (why == errc::not_gotunnel || why == errc::tls_failure || why == errc::end_of_stream) return 2;
  return why == asio::error::connection_refused || why == errc::timed_out ? 1 : 0;
}

time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

void telling_failure::note(const error_code& why, std::string detail) {
  if (rank(why) < rank_) return;
  rank_ = rank(why);
  why_ = why;
  detail_ = std::move(detail);
}

address_race::address_race(net::executor where, const crypto::tls_context& tls, net::endpoints addresses,
                           std::string name, int max_segment)
    : where_(std::move(where)), tls_(tls), addresses_(std::move(addresses)), name_(std::move(name)),
      max_segment_(max_segment), begun_(now()), again_after_(first_again_after), changed_(where_) {
  for (const auto& each : addresses_) waiting_.push_back({each, max_segment_});
}

void address_race::again() {
  if (now() - begun_ < again_after_) return;
  begun_ = now();
  again_after_ *= 2;
  std::deque<entry> fresh;
  for (const auto& each : addresses_) fresh.push_back({each, max_segment_});
  waiting_ = std::move(fresh);
  next_begin_ = {};
  changed_.notify();
}

net::task<address_race::winner> address_race::next(time_point until) {
  net::task_group attempts(where_, "link");
  net::deadline late(where_, until - now(), [this] { changed_.notify(); });
  std::exception_ptr thrown;
  try {
    while (!winner_ && !late.expired()) {
      begin_due(attempts, now(), until);
      if (winner_ || (waiting_.empty() && running_.empty())) break;
      const net::deadline step(where_, std::min(next_step(), until) - now(), [this] { changed_.notify(); });
      co_await changed_.wait();
    }
  } catch (...) {
    thrown = std::current_exception();
  }
  // Cancelled in the very turn in which the race ended, nothing is thrown yet, and the next await would
  // throw.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  over_ = true;
  attempts.cancel();
  co_await attempts.join();
  over_ = false;
  // A loser may be what the caller needs when the winner is of no use.
  for (const entry& each : running_) waiting_.push_back({each.to, each.max_segment});
  running_.clear();
  next_begin_ = {};
  if (thrown) std::rethrow_exception(thrown);
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
  if (winner_) {
    winner won = std::move(*winner_);
    winner_.reset();
    co_return won;
  }
  if (late.expired()) failure_.note(errc::timed_out, "");
  co_return failure_.why();
}

void address_race::begin_due(net::task_group& attempts, time_point now, time_point until) {
  retry_silent(now);
  if (waiting_.empty() || now < next_begin_) return;
  running_.push_back(waiting_.front());
  waiting_.pop_front();
  next_begin_ = now + attempt_delay;
  attempts.spawn("attempt", attempt(std::prev(running_.end()), until - now));
}

time_point address_race::entry::retry_due() const noexcept {
  const bool once_more = !retried && max_segment != net::smallest_segment && silent_since != never;
  return once_more ? silent_since + small_segments_after : never;
}

void address_race::retry_silent(time_point now) {
  for (entry& each : running_) {
    if (now < each.retry_due()) continue;
    each.retried = true;
    waiting_.push_back({each.to, net::smallest_segment});
  }
}

/// When there may be something to do that no attempt tells of.
time_point address_race::next_step() const noexcept {
  time_point next = waiting_.empty() ? never : next_begin_;
  for (const entry& each : running_) next = std::min(next, each.retry_due());
  return next;
}

asio::awaitable<void> address_race::attempt(running self, duration limit) {
  auto socket = co_await net::dial(self->to, limit, self->max_segment);
  if (over_) co_return;
  if (!socket) {
    failure_.note(socket.error(), "");
  } else {
    const auto ends = net::ends_of(*socket);
    const bool same_machine = ends && ends->first.v6 == ends->second.v6 && ends->first.ip == ends->second.ip;
    self->silent_since = now();
    next_begin_ = std::max(next_begin_, self->silent_since + silence_limit);
    changed_.notify();
    auto below =
        std::make_unique<net::socket_stream>(std::move(*socket), net::socket_stream::purpose::carrier, name_);
    auto tls = std::make_unique<net::tls_stream>(tls_, std::move(below));
    const auto shaken = co_await tls->handshake();
    if (over_) co_return;
    if (!shaken)
      failure_.note(shaken.error(), tls->engine().failure());
    else if (!winner_)
      winner_ = std::make_unique<winner>(winner{std::move(tls), self->max_segment, same_machine});
  }
  running_.erase(self);
  next_begin_ = {};
  changed_.notify();
}

} // namespace gotunnel::link
