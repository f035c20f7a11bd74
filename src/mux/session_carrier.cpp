// What a session does on its carrier, and when it loses it.
#include "gotunnel/base/resident_memory.hpp"
#include "gotunnel/mux/session.hpp"

#include <algorithm>

namespace gotunnel::mux {
namespace {

// So much at once is a transfer, which leaves buffers behind, and not a few words.
constexpr std::size_t bulk = 16 * 1024;
// Keepalives and ACKs, which get through where whole segments do not.
constexpr std::uint64_t a_word = 64;
// The kernel's round-trip estimate changes slowly.
constexpr duration round_trip_refresh = 500ms;
// While the carrier is not read nobody tells when a reader has become one that does not read, or when other
// sessions have made room.
constexpr duration memory_round = 50ms;
// A path on which the system has heard of the peer since then is alive, however slow.
constexpr duration sign_of_life = 1s;
// A carrier that is lost later has done something, if only that it was there.
constexpr duration brief = 30s;
// Doublings of sign_of_life, for carriers that bring nothing: eight seconds are less than a keepalive
// timeout.
constexpr int most_patience = 3;

time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

/// Reader or writer, on one carrier after the other.
asio::awaitable<void> session::ride(asio::awaitable<void> (session::*task)()) {
  while (!ended_) {
    if (!riding()) {
      co_await changed_.wait();
      continue;
    }
    ++riders_;
    co_await (this->*task)();
    --riders_;
    drop_lost_carrier();
  }
}

void session::lose(error_code why) {
  if (ended_ || fenced_ || !carrier_) return;
  if (resume_window_ <= duration::zero() || closing_ || peer_leaves_) return abort(why);
  fenced_ = true;
  loss_ = why;
  carrier_->close(net::ending::abort);
  work_.notify();
  drained_.notify();
  drop_lost_carrier();
}

/// When the last one has left it, or nobody was on it yet.
void session::drop_lost_carrier() {
  if (riders_ > 0 || !fenced_ || ended_) return;
  carrier_.reset();
  fenced_ = false;
  lost_at_ = now();
  fruitless_ = moved_on() ? 0 : fruitless_ + 1;
  if (progressed()) window_ends_ = now() + resume_window_;
  hold_.emplace(where_, std::max<duration>(window_ends_ - now(), 0s), [this] { abort(loss_); });
  changed_.notify();
}

bool session::progressed() const noexcept {
  const std::uint64_t before = received_before_ + acknowledged_before_;
  return window_ends_ == time_point{} || core_.received() + core_.acknowledged() > before + a_word;
}

bool session::moved_on() const noexcept {
  const bool brought = core_.received() > received_before_ + a_word;
  const bool had_to_take = core_.transmitted() > acknowledged_before_ + a_word;
  const bool took = core_.acknowledged() > acknowledged_before_ + a_word;
  return lost_at_ - attached_at_ > brief || (brought && (took || !had_to_take));
}

asio::awaitable<bool> session::lost() {
  while (carrier_ && !ended_) co_await changed_.wait();
  co_return !ended_;
}

asio::awaitable<bool> session::carried() {
  while (!carrier_ && !ended_) co_await changed_.wait();
  co_return !ended_;
}

asio::awaitable<bool> session::fence() {
  lose(errc::superseded);
  co_return co_await lost();
}

bool session::attach(net::stream_ptr carrier, std::uint64_t peer_received) {
  if (!waiting()) return false;
  if (const auto served = out_.attach(peer_received, now()); !served) {
    abort(served.error());
    return false;
  }
  hold_.reset();
  received_before_ = core_.received();
  acknowledged_before_ = core_.acknowledged();
  carrier_ = std::move(carrier);
  peer_ = carrier_->peer();
  attached_at_ = now();
  round_trip_asked_ = {};
  changed_.notify();
  wake();
  return true;
}

void session::doubt_carrier() {
  if (!riding() || resume_window_ <= duration::zero()) return;
  core_.ask(now(), sign_of_life);
  wake();
}

asio::awaitable<void> session::read_carrier() {
  while (riding()) {
    mind_memory();
    if (core_.over_budget()) {
      wake(); // the keeper has to say more often that we are there
      const net::deadline again(where_, memory_round, [this] { drained_.notify(); });
      co_await drained_.wait();
      continue;
    }
    const auto bytes = co_await carrier_->read();
    if (!riding()) co_return; // a fenced carrier has nothing more to say
    if (!bytes) co_return lose(bytes.error());
    if (bytes->empty()) co_return abort(errc::closed);
    const time_point heard = now();
    stirred_ |= bytes->size() >= bulk;
    bytes_in_ += bytes->size();
    lookout_.passed(bytes->size(), heard);
    if (heard - round_trip_asked_ >= round_trip_refresh) {
      round_trip_asked_ = heard;
      core_.set_round_trip(carrier_->round_trip());
    }
    core_.feed(*bytes, heard);
    const auto handled = handle_fed();
    if (!handled) co_return abort(handled.error());
    out_.settle();
    carrier_->consume(bytes->size());
    wake();
  }
}

asio::awaitable<void> session::write_carrier() {
  while (riding()) {
    if (!out_.wants_write()) {
      if (closing_) co_return co_await shut_carrier();
      co_await work_.wait();
      continue;
    }
    const auto ready = co_await carrier_->wait_writable();
    if (!ready) co_return lose(ready.error());
    if (!riding()) co_return; // the streams of an ended session have taken their bytes back
    const bytes_view frames = out_.next(now());
    if (out_.overfull()) co_return abort(errc::limit_exceeded);
    while (const auto id = core_.poll_sent()) {
      const auto found = streams_.find(*id);
      if (found != streams_.end()) found->second->sent();
    }
    if (frames.empty()) continue;
    wake();
    stirred_ |= frames.size() >= bulk;
    const auto written = co_await carrier_->write(frames);
    if (!written) co_return lose(written.error());
    bytes_out_ += frames.size();
    lookout_.passed(frames.size(), now());
    if (riding()) out_.wrote(frames.size());
  }
}

/// All has been said.
asio::awaitable<void> session::shut_carrier() {
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
    const time_point due = riding() ? core_.deadline() : never;
    nap_ends_ = std::max(std::min<time_point>(due, now() + longest_sleep_), now() + 1ms);
    nap_.expires_at(std::chrono::time_point_cast<asio::steady_timer::duration>(nap_ends_));
    [[maybe_unused]] auto [ignored] = co_await nap_.async_wait(net::token);
    if (riding()) look_after_carrier();
    mind_memory();
    rest_after_work();
    count_bytes();
  }
}

void session::look_after_carrier() {
  if (const auto kept = core_.tick(now()); !kept) return lose(kept.error());
  // A resumable session would go on with another carrier; only a seed peer's keys cannot be changed.
  if (carrier_->worn(streams_.size() <= 1)) return close(errc::keys_worn);
  if (core_.take_doubt() && !carrier_->heard_within(patience())) return lose(errc::peer_silent);
  wake();
}

/// A path on which carrier after carrier falls silent may need more time than others, to find out how large
/// its packets may be, for instance.
duration session::patience() const noexcept {
  return sign_of_life * (1 << std::clamp(fruitless_ - 1, 0, most_patience));
}

/// What a bulk transfer, or the start of the process, needed may be given back when a round of the keeper has
/// passed without one.
void session::rest_after_work() {
  if (now() - rested_at_ < longest_sleep_) return;
  rested_at_ = now();
  if (std::exchange(stirred_, false)) {
    stirred_at_ = rested_at_;
    swollen_ = true;
  } else if (swollen_) {
    swollen_ = !memory_keeper::of_process().rest(stirred_at_, rested_at_);
  }
}

} // namespace gotunnel::mux
