#include "gotunnel/mux/session.hpp"

#include "gotunnel/base/block_pool.hpp"
#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/base/resident_memory.hpp"
#include "gotunnel/net/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

namespace gotunnel::mux {
namespace {

// Bytes of frames chosen at once: one sealing and one system call each. Sixteen TLS records.
constexpr std::size_t batch = 256 * 1024;
// So much at once is a transfer, which leaves buffers behind, and not a few words.
constexpr std::size_t bulk = 16 * 1024;
// The keeper's pace when no NOPs are wanted.
constexpr duration keeper_round = 60s;
// How long frames that are due may take to leave after close().
constexpr duration farewell = 1s;
// The kernel's round-trip estimate changes slowly.
constexpr duration round_trip_refresh = 500ms;
// While the carrier is not read nobody tells when other sessions have made room.
constexpr duration memory_round = 250ms;

/// True once in a process: for the session that stands when the memory of the start is to be given back.
bool first_of_process() noexcept {
  static std::atomic_flag passed;
  return !passed.test_and_set(std::memory_order_relaxed);
}

time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

session::session(net::executor where, net::stream_ptr carrier, const wire::smux_config& config,
                 memory_budget& memory)
    : where_(std::move(where)), carrier_(std::move(carrier)), core_(config, now()), memory_(memory),
      longest_sleep_(config.keepalive_interval > duration::zero() ? config.keepalive_interval : keeper_round),
      peer_resets_(config.resets), forgotten_after_(config.forgotten_after), work_(where_), drained_(where_),
      accepted_(where_), ending_(where_), last_heard_(now()), swollen_(first_of_process()) {}

asio::awaitable<error_code> session::run() {
  const auto self = shared_from_this();
  net::task_group tasks(where_, "mux");
  std::exception_ptr thrown;
  try {
    tasks.spawn("reader", read_carrier());
    tasks.spawn("writer", write_carrier());
    tasks.spawn("keeper", keep_alive());
    while (!ended_) co_await ending_.wait();
  } catch (...) {
    thrown = std::current_exception();
  }
  // Cancelled in the very turn in which the session ended, nothing is thrown yet, and the next await would
  // throw.
  const auto state = co_await asio::this_coro::cancellation_state;
  const bool cancelled = state.cancelled() != asio::cancellation_type::none;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  abort(errc::shutting_down);
  hurry_.reset();
  carrier_->close(said_all_ || why_ == errc::closed ? net::ending::graceful : net::ending::abort);
  tasks.cancel();
  co_await tasks.join();
  count_bytes();
  memory_.report(0);
  if (thrown) std::rethrow_exception(thrown);
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
  co_return why_;
}

void session::close(error_code why) {
  if (ended_ || closing_) return;
  closing_ = true;
  why_ = why;
  // The writer may be held up by a carrier that takes nothing, so it is not the writer that looks at the
  // clock.
  hurry_.emplace(where_, farewell, [this] { abort(why_); });
  work_.notify();
}

void session::abort(error_code why) {
  if (ended_) return;
  ended_ = true;
  if (!closing_) why_ = why;
  // Streams may be dropped, and so leave the table, as soon as they are told.
  std::vector<mux_stream*> orphans;
  for (const auto& [id, each] : streams_) orphans.push_back(each);
  for (mux_stream* each : orphans) each->fail(why_ == errc::closed ? make_error_code(errc::reset) : why_);
  opened_by_peer_.clear();
  accepted_.notify();
  ending_.notify();
  work_.notify();
  drained_.notify();
}

result<mux_stream_ptr> session::open() {
  if (ended_ || closing_) return why_;
  const auto id = core_.open();
  if (!id) return id.error();
  auto opened = std::make_unique<mux_stream>(shared_from_this(), *id);
  streams_.emplace(*id, opened.get());
  wake();
  return opened;
}

net::task<mux_stream_ptr> session::accept() {
  while (opened_by_peer_.empty()) {
    if (ended_) co_return why_;
    co_await accepted_.wait();
  }
  auto next = std::move(opened_by_peer_.front());
  opened_by_peer_.pop_front();
  co_return next;
}

asio::awaitable<void> session::read_carrier() {
  while (!ended_) {
    mind_memory();
    if (core_.over_budget()) {
      const net::deadline again(where_, memory_round, [this] { drained_.notify(); });
      co_await drained_.wait();
      continue;
    }
    const auto bytes = co_await carrier_->read();
    if (!bytes) co_return abort(bytes.error());
    if (bytes->empty()) co_return abort(errc::closed);
    last_heard_ = now();
    stirred_ |= bytes->size() >= bulk;
    bytes_in_ += bytes->size();
    if (last_heard_ - round_trip_asked_ >= round_trip_refresh) {
      round_trip_asked_ = last_heard_;
      core_.set_round_trip(carrier_->round_trip());
    }
    core_.feed(*bytes, last_heard_);
    const auto handled = handle_fed();
    if (!handled) co_return abort(handled.error());
    carrier_->consume(bytes->size());
    wake();
  }
}

result<> session::handle_fed() {
  for (;;) {
    const auto next = core_.poll();
    if (!next) return next.error();
    if (!*next) return {};
    handle(**next);
  }
}

void session::handle(const wire::smux_event& event) {
  using kind = wire::smux_event::kind;
  if (event.what == kind::opened) {
    auto opened = std::make_unique<mux_stream>(shared_from_this(), event.id);
    streams_.emplace(event.id, opened.get());
    opened_by_peer_.push_back(std::move(opened));
    accepted_.notify();
    return;
  }
  const auto found = streams_.find(event.id);
  if (found == streams_.end()) return;
  switch (event.what) {
  case kind::data: return found->second->received(event.bytes);
  case kind::finished: return found->second->finished_by_peer();
  case kind::reset: return found->second->reset_by_peer(event.reason);
  case kind::opened: return;
  }
}

asio::awaitable<void> session::write_carrier() {
  while (!ended_) {
    if (!core_.wants_transmit()) {
      if (closing_) break;
      co_await work_.wait();
      continue;
    }
    const auto ready = co_await carrier_->wait_writable();
    if (!ready) co_return abort(ready.error());
    if (ended_) co_return; // the streams have taken their bytes back
    block frames(block_size::huge);
    const std::size_t size = core_.transmit(frames.span().first(batch), now());
    while (const auto id = core_.poll_sent()) {
      const auto found = streams_.find(*id);
      if (found != streams_.end()) found->second->sent();
    }
    if (size == 0) continue;
    stirred_ |= size >= bulk;
    const auto written = co_await carrier_->write(frames.span().first(size));
    if (!written) co_return abort(written.error());
    bytes_out_ += size;
  }
  if (ended_) co_return;
  const auto shut = co_await carrier_->shut();
  if (!shut) co_return abort(why_);
  said_all_ = true;
  // A socket that is closed with unread bytes resets its connection and takes back what is under way: the
  // last bytes of the visitors. So the peer's end comes first, or the end of its time.
  while (!ended_) co_await work_.wait();
}

asio::awaitable<void> session::keep_alive() {
  while (!ended_) {
    // While a NOP waits for the writer the core does not say when the next one is due. A sleep until the
    // peer's own limit would then be too long: the peer would hear nothing for all of its limit.
    const auto due = std::min<time_point>(core_.deadline(), now() + longest_sleep_);
    co_await net::sleep_for(std::max<duration>(due - now(), 1ms));
    const auto kept = core_.tick(now());
    if (!kept) co_return abort(kept.error());
    mind_memory();
    wake();
    rest_after_work();
    count_bytes();
  }
}

/// What a bulk transfer, or the start of the process, needed is given back when a round of the keeper has
/// passed without one.
void session::rest_after_work() {
  if (!stirred_ && swollen_) return_unused_memory();
  swollen_ = stirred_;
  stirred_ = false;
}

void session::mind_memory() {
  memory_.report(core_.buffered());
  core_.set_memory(memory_.allowance(), memory_.tight());
  const auto given_up = core_.not_read(now());
  if (given_up.empty()) return;
  log::warn("mux", "{}: too many bytes wait for slow readers; {} streams that were not read at all are reset",
            carrier_->peer(), given_up.size());
  counters::add(counter::streams_not_read, given_up.size());
  for (const auto id : given_up) {
    const auto found = streams_.find(id);
    if (found != streams_.end())
      found->second->not_read();
    else
      core_.reset(id, wire::smux_reset_reason::not_read);
  }
  wake();
}

void session::count_bytes() {
  counters::add(counter::bytes_in, std::exchange(bytes_in_, 0));
  counters::add(counter::bytes_out, std::exchange(bytes_out_, 0));
}

void session::forget(wire::stream_id id) { streams_.erase(id); }

void session::wake() {
  memory_.report(core_.buffered());
  if (core_.wants_transmit()) work_.notify();
  if (!core_.over_budget()) drained_.notify();
}

} // namespace gotunnel::mux
