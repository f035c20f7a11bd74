// Bytes from the peer, to events.
#include "gotunnel/wire/smux_core.hpp"

#include "gotunnel/base/counters.hpp"

#include <algorithm>
#include <cassert>

namespace gotunnel::wire {
namespace {

// A peer that opens streams above its limit and does not read the answers; a decent one reads, and a few
// round trips of refusals are far fewer than this.
constexpr std::size_t most_refusals = 4096;

smux_reset_reason reason_of(std::uint32_t said) noexcept {
  const auto reason = static_cast<smux_reset_reason>(said);
  return reason <= smux_reset_reason::not_read ? reason : smux_reset_reason::aborted;
}

} // namespace

void smux_core::feed(bytes_view bytes, time_point now) {
  assert(input_.empty());
  input_ = bytes;
  received_at_ = now;
  paused_ = over_budget();
  ack_.receive(bytes.size(), now);
}

result<std::optional<smux_event>> smux_core::poll() {
  if (broken_) return broken_;
  while (!input_.empty()) {
    auto taken = body_left_ > 0 ? take_body() : take_header();
    if (!taken) return broken_ = taken.error();
    if (*taken) return taken;
  }
  return std::optional<smux_event>{};
}

/// The next `size` bytes in one piece: out of the input when they are all there, copied together when they
/// come in pieces.
std::optional<bytes_view> smux_core::gather(std::size_t size) noexcept {
  if (gathered_ == 0 && input_.size() >= size) {
    const bytes_view whole = input_.first(size);
    input_ = input_.subspan(size);
    return whole;
  }
  const std::size_t taken = std::min(size - gathered_, input_.size());
  std::copy_n(input_.begin(), taken, gathered_bytes_.begin() + static_cast<std::ptrdiff_t>(gathered_));
  input_ = input_.subspan(taken);
  gathered_ += taken;
  if (gathered_ < size) return std::nullopt;
  gathered_ = 0;
  return bytes_view{gathered_bytes_}.first(size);
}

result<std::optional<smux_event>> smux_core::take_header() {
  const std::optional<bytes_view> bytes = gather(smux_header::size);
  if (!bytes) return std::optional<smux_event>{};
  const result<smux_header> header =
      decode_header(bytes->first<smux_header::size>(), config_.version, config_.resets, config_.resumable);
  if (!header) return header.error();
  header_ = *header;
  body_left_ = header_.length;
  const bool says = header_.command != smux_command::ack && header_.command != smux_command::nop;
  if (says) moved_at_ = received_at_;
  if (says && config_.resumable) ack_.owe(received_at_);
  switch (header_.command) {
  case smux_command::syn: return on_syn();
  case smux_command::fin: return on_fin();
  case smux_command::psh:
    if (const result<> allowed = on_psh(); !allowed) return allowed.error();
    break;
  case smux_command::nop:
  case smux_command::upd:
  case smux_command::rst:
  case smux_command::ack: break;
  }
  return std::optional<smux_event>{};
}

result<std::optional<smux_event>> smux_core::take_body() {
  if (header_.command == smux_command::psh) {
    if (config_.resumable) ack_.owe(received_at_);
    const bytes_view piece = input_.first(std::min(body_left_, input_.size()));
    input_ = input_.subspan(piece.size());
    body_left_ -= piece.size();
    // Looked up for every piece: the caller may have reset the stream since the last.
    smux_stream* const stream = deliver_ ? find(header_.id) : nullptr;
    if (stream == nullptr) return std::optional<smux_event>{};
    if (stream->in.buffered() == 0) stream->waits_since = received_at_;
    stream->in.receive(piece.size());
    buffered_ += piece.size();
    paused_ = paused_ || over_budget();
    return smux_event{.what = smux_event::kind::data, .id = header_.id, .bytes = piece};
  }

  const std::optional<bytes_view> payload = gather(header_.length);
  if (!payload) return std::optional<smux_event>{};
  body_left_ = 0;
  if (header_.command == smux_command::ack) {
    if (header_.id != 0) ack_.asked();
    if (const result<> sane = ack_.hear(load_le64(*payload)); !sane) return sane.error();
    return std::optional<smux_event>{};
  }
  smux_stream* const stream = find(header_.id);
  if (stream == nullptr) return std::optional<smux_event>{};
  if (header_.command == smux_command::rst) return on_reset(*stream, *payload);
  if (const result<> sane = stream->out.update(decode_update(payload->first<smux_update::size>())); !sane)
    return sane.error();
  schedule(*stream);
  return std::optional<smux_event>{};
}

result<std::optional<smux_event>> smux_core::on_syn() {
  if (header_.id == 0) return errc::broken_frame;
  if (find(header_.id) != nullptr) return std::optional<smux_event>{};
  // Every stream of the peer leaves one farewell at most, and it may open as many as it likes one after the
  // other while it does not read what we send. This bounds the farewells; those of our own streams are
  // bounded by the table.
  if (farewells_.size() >= config_.max_peer_streams + most_refusals) return errc::limit_exceeded;
  if (!admits_stream()) {
    counters::add(counter::opens_refused);
    if (config_.strict_opens || refusals_ >= most_refusals) return errc::limit_exceeded;
    farewells_.push_back({header_.id, smux_reset_reason::too_many_streams, true});
    ++refusals_;
    return std::optional<smux_event>{};
  }
  smux_stream& stream = add_stream(header_.id, true);
  ++peer_streams_;
  begin_small(stream);
  return smux_event{.what = smux_event::kind::opened, .id = header_.id};
}

bool smux_core::admits_stream() noexcept {
  const double passed = std::chrono::duration<double>(received_at_ - open_tokens_at_).count();
  open_tokens_ = std::min(config_.opens_burst, open_tokens_ + passed * config_.opens_per_second);
  open_tokens_at_ = received_at_;
  if (peer_streams_ >= config_.max_peer_streams || open_tokens_ < 1) return false;
  open_tokens_ -= 1;
  return true;
}

std::optional<smux_event> smux_core::on_fin() {
  smux_stream* const stream = find(header_.id);
  if (stream == nullptr || stream->peer_finished) return std::nullopt;
  stream->peer_finished = true;
  stream->upd_pending = false;
  erase_if_over(*stream);
  return smux_event{.what = smux_event::kind::finished, .id = header_.id};
}

/// Decides about the whole frame before its first byte is handed on.
result<> smux_core::on_psh() {
  const smux_stream* const stream = find(header_.id);
  deliver_ = stream != nullptr;
  if (stream == nullptr || header_.length == 0) return {};
  if (stream->peer_finished) {
    // Plain smux sends a FIN ahead of data that waits in its queue when a stream is closed while it is
    // written to; what comes then belongs to no one. A gotunnel keeps the order.
    if (config_.resets) return errc::broken_frame;
    deliver_ = false;
    return {};
  }
  if (!stream->in.permits(header_.length)) return errc::flow_control;
  return {};
}

smux_event smux_core::on_reset(smux_stream& stream, bytes_view payload) {
  forget_sent(stream.id);
  const smux_event event{
      .what = smux_event::kind::reset, .id = stream.id, .reason = reason_of(load_le32(payload))};
  erase(stream);
  return event;
}

} // namespace gotunnel::wire
