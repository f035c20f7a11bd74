// Life and streams of a session; what happens on its carrier is in session_carrier.cpp.
#include "gotunnel/mux/session.hpp"

#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/net/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

namespace gotunnel::mux {
namespace {

// The keeper's pace when no NOPs are wanted, or seldom.
constexpr duration keeper_round = 60s;
// How long frames that are due may take to leave after close().
constexpr duration farewell = 1s;

/// True once in a process: for the session that stands when the memory of the start is to be given back.
bool first_of_process() noexcept {
  static std::atomic_flag passed;
  return !passed.test_and_set(std::memory_order_relaxed);
}

wire::smux_config with_resume(wire::smux_config config, duration window) noexcept {
  config.resumable = window > duration::zero();
  return config;
}

time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

session::session(net::executor where, net::stream_ptr carrier, const wire::smux_config& config,
                 duration resume_window, memory_budget& memory)
    : where_(std::move(where)), carrier_(std::move(carrier)), peer_(carrier_ ? carrier_->peer() : ""),
      core_(with_resume(config, resume_window), now()), out_(core_, resume_window > duration::zero()),
      memory_(memory), resume_window_(resume_window),
      longest_sleep_(config.keepalive_interval > duration::zero()
                         ? std::min<duration>(config.keepalive_interval, keeper_round)
                         : keeper_round),
      peer_resets_(config.resets), forgotten_after_(config.forgotten_after), lookout_(where_), work_(where_),
      drained_(where_), accepted_(where_), changed_(where_), nap_(where_), attached_at_(now()),
      swollen_(first_of_process()) {}

asio::awaitable<error_code> session::run() {
  const auto self = shared_from_this();
  net::task_group tasks(where_, "mux");
  std::exception_ptr thrown;
  try {
    tasks.spawn("reader", ride(&session::read_carrier));
    tasks.spawn("writer", ride(&session::write_carrier));
    tasks.spawn("keeper", keep_alive());
    while (!ended_) co_await changed_.wait();
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
  hold_.reset();
  if (carrier_)
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
  if (!riding()) return abort(why);
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
  changed_.notify();
  work_.notify();
  drained_.notify();
}

void session::set_keepalive(duration interval) {
  core_.set_keepalive(interval);
  longest_sleep_ = std::min<duration>(interval, keeper_round);
  wake();
}

result<mux_stream_ptr> session::open() {
  if (ended_ || closing_) return why_;
  const auto id = core_.open();
  if (!id) return id.error();
  auto opened = std::make_unique<mux_stream>(shared_from_this(), *id);
  adopt(*opened);
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
    adopt(*opened);
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

void session::mind_memory() {
  report_memory();
  const std::uint64_t allowance = memory_.allowance();
  core_.set_memory(allowance, memory_.tight());
  out_.set_limit(allowance / 2);
  const auto given_up = core_.not_read(now());
  if (given_up.empty()) return;
  static log::limit often;
  log::warn(often, "mux", "{}: too many bytes wait for slow readers; {} streams that were not read are reset",
            peer_, given_up.size());
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

void session::report_memory() { memory_.report(core_.buffered() + out_.kept()); }

void session::count_bytes() {
  counters::add(counter::bytes_in, std::exchange(bytes_in_, 0));
  counters::add(counter::bytes_out, std::exchange(bytes_out_, 0));
}

/// A peer may open a stream by the id of one that has ended, as soon as both ends of it are over.
void session::adopt(mux_stream& stream) {
  mux_stream*& place = streams_[stream.id()];
  if (place != nullptr) place->forgotten_by_core();
  place = &stream;
}

void session::forget(const mux_stream& stream) {
  const auto found = streams_.find(stream.id());
  if (found != streams_.end() && found->second == &stream) streams_.erase(found);
}

bool session::sends(wire::stream_id id) const noexcept {
  return riding() && !out_.full() && core_.has_window(id);
}

void session::wake() {
  report_memory();
  if (out_.wants_write()) work_.notify();
  if (!core_.over_budget()) drained_.notify();
  if (riding() && core_.deadline() < nap_ends_) {
    nap_ends_ = core_.deadline();
    nap_.cancel();
  }
}

} // namespace gotunnel::mux
