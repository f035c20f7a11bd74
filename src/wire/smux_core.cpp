// Streams and keepalive. What comes from the peer is in smux_core_receive.cpp, what goes to it in
// smux_core_transmit.cpp.
#include "gotunnel/wire/smux_core.hpp"

#include "gotunnel/crypto/digest.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <tuple>

namespace gotunnel::wire {
namespace {

// Who does not read its carrier looks dead to a peer that waits for an ACK, if it says nothing; and for a
// while longer, for the peer's TCP may be slow to find out that it is read again.
constexpr duration paused_interval = 500ms;
// Only a client can dial again, and it must find out in time that bytes wait for it at the server.
constexpr duration curious_after = 800ms;
constexpr duration answer_within = 600ms;
// A session in which nothing moves is asked about ever less often: next after a fifth of the time for which
// nothing has moved.
constexpr int idle_share = 5;
// Of one offer: what the largest frame carries, with its header 64 KiB.
constexpr std::uint32_t most_of_source = 64 * 1024 - smux_header::size;
// More than the kernels at both ends of a reader's connection keep (tcp(7): tcp_wmem and tcp_rmem, 4 and 6
// MiB).
constexpr std::uint64_t surely_read = 16 * 1024 * 1024;

smux_config within_limits(smux_config config) noexcept {
  config.max_frame = std::clamp<std::size_t>(config.max_frame, 1, std::numeric_limits<std::uint16_t>::max());
  return config;
}

std::uint64_t random_seed() {
  std::array<std::byte, sizeof(std::uint64_t)> bytes{};
  crypto::random_bytes(bytes);
  return load_le64(bytes);
}

} // namespace

smux_core::smux_core(const smux_config& config, time_point now)
    : config_(within_limits(config)), streams_(0, id_hash{random_seed()}),
      next_id_(config.role == smux_role::client ? 3 : 2), open_tokens_(config.opens_burst),
      open_tokens_at_(now), scheduler_(smux_header::size + config_.max_frame), received_at_(now),
      transmitted_at_(now), moved_at_(now) {}

std::size_t smux_core::id_hash::operator()(stream_id id) const noexcept {
  std::uint64_t mixed = (id ^ seed) * 0x9e3779b97f4a7c15u; // the golden ratio, as splitmix64 uses it
  mixed = (mixed ^ (mixed >> 32)) * 0xbf58476d1ce4e5b9u;
  return static_cast<std::size_t>(mixed ^ (mixed >> 29));
}

// --- streams

result<stream_id> smux_core::open() {
  // A peer may have opened streams under our parity: nobody checks.
  while (next_id_ <= config_.last_id && find(static_cast<stream_id>(next_id_))) next_id_ += 2;
  if (next_id_ > config_.last_id) return errc::ids_used_up;
  const auto id = static_cast<stream_id>(next_id_);
  next_id_ += 2;
  smux_stream& stream = add_stream(id, false);
  stream.syn_pending = true;
  queue_control(stream);
  begin_small(stream);
  return id;
}

std::uint64_t smux_core::ids_left() const noexcept {
  return next_id_ > config_.last_id ? 0 : (config_.last_id - next_id_) / 2 + 1;
}

/// An UPD behind the SYN, or in answer to it, when the initial window is more than the stream's share.
void smux_core::begin_small(smux_stream& stream) {
  if (config_.version < 2 || climate().beginning() >= initial_window) return;
  stream.upd_pending = true;
  queue_control(stream);
}

result<smux_stream*> smux_core::find_offerer(stream_id id) const noexcept {
  smux_stream* const stream = find(id);
  if (stream == nullptr) return errc::reset;
  if (stream->finishing) return errc::closed;
  assert(!stream->offers());
  return stream;
}

result<> smux_core::submit(stream_id id, bytes_view bytes) {
  const auto stream = find_offerer(id);
  if (!stream) return stream.error();
  assert(!bytes.empty());
  (*stream)->offer = bytes;
  schedule(**stream);
  return {};
}

result<> smux_core::submit(stream_id id, byte_source& source) {
  const auto stream = find_offerer(id);
  if (!stream) return stream.error();
  (*stream)->source = &source;
  (*stream)->source_left = most_of_source;
  schedule(**stream);
  return {};
}

bool smux_core::has_window(stream_id id) const noexcept {
  const smux_stream* const stream = find(id);
  return stream != nullptr && stream->out.available() > 0;
}

void smux_core::withdraw(stream_id id) noexcept {
  smux_stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->offer = {};
  stream->source = nullptr;
  forget_sent(id);
  schedule(*stream);
}

void smux_core::finish(stream_id id) {
  smux_stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->finishing = true;
  schedule(*stream);
}

void smux_core::reset(stream_id id, smux_reset_reason reason) {
  smux_stream* const stream = find(id);
  if (stream == nullptr) return;
  // Of a SYN that was not sent the peer never hears; towards plain smux a FIN says all there is to say, once.
  const bool known = !stream->syn_pending;
  if (known && (config_.resets || !stream->fin_sent)) farewells_.push_back({id, reason, false});
  forget_sent(id);
  erase(*stream);
}

void smux_core::consumed(stream_id id, std::size_t count, time_point now) {
  smux_stream* const stream = find(id);
  if (stream == nullptr) return;
  assert(count <= stream->in.buffered());
  buffered_ -= count;
  drained_ += count;
  stream->waits_since = now;
  const bool due = stream->in.consume(count, drained_, now);
  if (due && !stream->peer_finished) {
    stream->upd_pending = true;
    queue_control(*stream);
  }
  erase_if_over(*stream);
}

void smux_core::prioritize(stream_id id) {
  if (smux_stream* const stream = find(id)) scheduler_.prioritize(*stream);
}

bool smux_core::alive(stream_id id) const noexcept { return find(id) != nullptr; }

std::size_t smux_core::stream_count() const noexcept { return streams_.size(); }

smux_stream* smux_core::find(stream_id id) const noexcept {
  smux_stream*& recent = recent_slot(id);
  if (recent != nullptr && recent->id == id) return recent;
  const auto found = streams_.find(id);
  if (found == streams_.end()) return nullptr;
  // The table's nodes never move; constness here is of the core's view, not of the stream.
  return recent = const_cast<smux_stream*>(&found->second);
}

smux_stream& smux_core::add_stream(stream_id id, bool from_peer) {
  const auto [added, is_new] = streams_.try_emplace(id, id, config_.version, from_peer);
  assert(is_new);
  return added->second;
}

void smux_core::erase(smux_stream& stream) {
  buffered_ -= static_cast<std::size_t>(stream.in.buffered());
  growth_ -= stream.in.growth();
  if (stream.from_peer) --peer_streams_;
  if (smux_stream*& recent = recent_slot(stream.id); recent == &stream) recent = nullptr;
  streams_.erase(stream_id{stream.id});
}

void smux_core::erase_if_over(smux_stream& stream) {
  if (stream.over()) erase(stream);
}

void smux_core::schedule(smux_stream& stream) noexcept {
  if (stream.ready())
    scheduler_.add(stream);
  else
    scheduler_.remove(stream);
}

/// Puts the stream on the list of those with a SYN or UPD to send; once, so the list is no longer than the
/// table.
void smux_core::queue_control(smux_stream& stream) noexcept {
  if (!stream.is_linked()) control_.push_back(stream);
}

void smux_core::forget_sent(stream_id id) noexcept {
  const auto untold = sent_.begin() + static_cast<std::ptrdiff_t>(sent_told_);
  sent_.erase(std::remove(untold, sent_.end(), id), sent_.end());
}

// --- memory and keepalive

std::size_t smux_core::buffered() const noexcept { return buffered_; }

bool smux_core::over_budget() const noexcept { return buffered_ >= budget(); }

std::size_t smux_core::budget() const noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(config_.memory_budget, allowance_));
}

void smux_core::set_memory(std::uint64_t allowance, bool tight) noexcept {
  allowance_ = allowance;
  tight_ = tight;
}

std::vector<stream_id> smux_core::not_read(time_point now) const {
  if (!over_budget()) return {};
  using waiter = std::tuple<bool, time_point, stream_id, std::uint64_t>;
  std::vector<waiter> waiters;
  for (const auto& [id, stream] : streams_)
    if (stream.in.buffered() > 0 && stream.waits_since + config_.not_read_after <= now)
      waiters.emplace_back(stream.in.drained() >= surely_read, stream.waits_since, id, stream.in.buffered());
  std::sort(waiters.begin(), waiters.end());
  std::vector<stream_id> given_up;
  const std::size_t enough = budget() - budget() / 4;
  std::uint64_t left = buffered_;
  for (const auto& [reads, since, id, size] : waiters) {
    if (left <= enough) break;
    left -= size;
    given_up.push_back(id);
  }
  return given_up;
}

void smux_core::set_round_trip(duration rtt) noexcept { round_trip_ = rtt; }

duration smux_core::keepalive_interval() const noexcept {
  const bool unread = over_budget() || transmitted_at_ < ack_.patient_until();
  const bool hurried = config_.resumable && unread && config_.keepalive_interval > 0s;
  if (hurried) return std::min(config_.keepalive_interval, paused_interval);
  // The client's question, and the server's answer, come a little earlier and say as much.
  return config_.resumable ? config_.keepalive_interval * 5 / 4 : config_.keepalive_interval;
}

void smux_core::set_keepalive(duration interval) noexcept {
  config_.keepalive_interval = interval;
  config_.keepalive_timeout = keepalives_missed * interval;
}

/// When a client asks its server whether it is there, though it waits for nothing: often while it has streams
/// beside the control stream in which something has moved lately, else in place of a keepalive.
time_point smux_core::question_due() const noexcept {
  if (config_.role != smux_role::client || config_.keepalive_interval <= 0s || ack_.has_asked()) return never;
  const bool busy = streams_.size() > 1;
  const duration idle = (received_at_ - moved_at_) / idle_share;
  const duration patience =
      busy ? std::min(std::max<duration>(curious_after, idle), config_.keepalive_interval)
           : config_.keepalive_interval;
  return std::max(received_at_ + patience, ack_.patient_until());
}

void smux_core::ask(time_point now, duration patience) noexcept {
  ack_.ask(now, std::max(patience, 2 * round_trip_));
}

time_point smux_core::deadline() const noexcept {
  time_point next = never;
  if (config_.resumable && !over_budget()) next = std::min(ack_.deadline(), question_due());
  if (config_.keepalive_interval > 0s && !nop_pending_)
    next = std::min(next, transmitted_at_ + keepalive_interval());
  if (config_.keepalive_timeout > 0s) next = std::min(next, received_at_ + config_.keepalive_timeout);
  return next;
}

void smux_core::mind_acks(time_point now) noexcept {
  ack_.tick(now, round_trip_);
  if (now >= question_due()) ask(now, answer_within);
}

result<> smux_core::tick(time_point now) {
  if (broken_) return broken_;
  if (config_.keepalive_interval > 0s && now >= transmitted_at_ + keepalive_interval()) nop_pending_ = true;
  // Who does not read hears no answer, either.
  if (config_.resumable && over_budget())
    ack_.pause(now);
  else if (config_.resumable)
    mind_acks(now);
  if (config_.keepalive_timeout > 0s && now >= received_at_ + config_.keepalive_timeout) {
    // Whoever does not read hears nothing: the silence of the peer counts from when we read again.
    if (!paused_) {
      // A resumable session is not over: another carrier may bring the peer back.
      if (!config_.resumable) broken_ = errc::peer_silent;
      return errc::peer_silent;
    }
    received_at_ = now;
    paused_ = over_budget();
  }
  return {};
}

result<> smux_core::attach(std::uint64_t peer_received, time_point now) noexcept {
  assert(config_.resumable && input_.empty());
  received_at_ = transmitted_at_ = now;
  paused_ = over_budget();
  return ack_.attach(peer_received, now);
}

} // namespace gotunnel::wire
