// Frames to the peer.
#include "gotunnel/wire/smux_core.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace gotunnel::wire {
namespace {

// A frame costs the peer a wakeup and both of us a header: the end of a buffer is not worth one.
constexpr std::size_t least_room = 256;

} // namespace

struct smux_core::frame_writer {
  bytes_span out;
  std::uint8_t version;
  std::size_t filled = 0;

  [[nodiscard]] std::size_t room() const noexcept { return out.size() - filled; }
  [[nodiscard]] bool fits(std::size_t payload) const noexcept {
    return smux_header::size + payload <= room();
  }
  /// Where the payload of the next frame goes.
  [[nodiscard]] bytes_span payload(std::size_t size) const noexcept {
    assert(fits(size));
    return out.subspan(filled + smux_header::size, size);
  }
  /// A frame whose payload is there already.
  void frame_in_place(smux_command command, stream_id id, std::size_t size) noexcept {
    encode(smux_header{version, command, static_cast<std::uint16_t>(size), id},
           out.subspan(filled).first<smux_header::size>());
    filled += smux_header::size + size;
  }
  void frame(smux_command command, stream_id id, bytes_view bytes = {}) noexcept {
    const bytes_span to = payload(bytes.size());
    if (!bytes.empty()) std::memcpy(to.data(), bytes.data(), bytes.size());
    frame_in_place(command, id, bytes.size());
  }
};

bool smux_core::wants_transmit() const noexcept {
  return nop_pending_ || ack_.due() || !scheduler_.empty() || !control_.empty() || !farewells_.empty();
}

std::size_t smux_core::transmit(bytes_span out, time_point now) {
  assert(out.size() >= 64);
  frame_writer to{.out = out, .version = config_.version};
  const bool others = !scheduler_.empty() || !control_.empty() || !farewells_.empty();
  if (config_.resumable && (ack_.due() || (others && ack_.worthwhile()))) write_ack(to);
  const std::size_t acknowledged = to.filled;
  if (write_control(to)) write_streams(to);
  const bool awaited = to.filled > acknowledged;
  // Any frame proves that we are alive. An ACK spares the peer what it keeps for a replay.
  if (nop_pending_ && to.filled == 0) {
    if (config_.resumable)
      write_ack(to);
    else
      to.frame(smux_command::nop, 0);
  }
  ack_.transmitted(to.filled, config_.resumable && awaited, now);
  if (awaited) moved_at_ = now;
  if (to.filled > 0) {
    nop_pending_ = false;
    transmitted_at_ = now;
  }
  return to.filled;
}

void smux_core::write_ack(frame_writer& to) {
  const smux_ack::told told = ack_.tell();
  std::array<std::byte, sizeof(std::uint64_t)> count;
  store_le64(count, told.received);
  to.frame(smux_command::ack, told.ask ? 1 : 0, count);
}

/// False when there is no room for all of it: then no data may go, for it could precede its SYN.
/// Farewells first: while one waits no new SYN goes, so there are never more of our own streams than the
/// table had.
bool smux_core::write_control(frame_writer& to) {
  for (; !farewells_.empty(); farewells_.pop_front()) {
    const farewell& last = farewells_.front();
    std::array<std::byte, sizeof(std::uint32_t)> reason;
    store_le32(reason, static_cast<std::uint32_t>(last.reason));
    if (!to.fits(reason.size())) return false;
    if (config_.resets)
      to.frame(smux_command::rst, last.id, reason);
    else
      to.frame(smux_command::fin, last.id);
    if (last.refusal) --refusals_;
  }
  for (; !control_.empty(); control_.pop_front()) {
    smux_stream& stream = control_.front();
    if (!to.fits(0)) return false;
    if (stream.syn_pending) to.frame(smux_command::syn, stream.id);
    stream.syn_pending = false;
    if (!stream.upd_pending) continue;
    if (!to.fits(smux_update::size)) return false;
    write_update(to, stream);
  }
  return true;
}

void smux_core::write_update(frame_writer& to, smux_stream& stream) {
  const std::uint64_t growth_before = stream.in.growth();
  std::array<std::byte, smux_update::size> payload;
  encode(stream.in.announce(climate()), payload);
  growth_ = growth_ - growth_before + stream.in.growth();
  to.frame(smux_command::upd, stream.id, payload);
  stream.upd_pending = false;
}

/// The session's windows may together grow by half of its memory; the other half is shared by the initial
/// windows of its streams.
window_climate smux_core::climate() const noexcept {
  const std::uint64_t half = budget() / 2;
  return {.round_trip = round_trip_,
          .max_window = config_.max_window,
          .growth_left = half > growth_ ? half - growth_ : 0,
          .share = half / std::max<std::size_t>(streams_.size(), 1),
          .tight = tight_ || buffered_ > half};
}

void smux_core::write_streams(frame_writer& to) {
  while (smux_scheduler::entry* const next = scheduler_.front()) {
    auto& stream = static_cast<smux_stream&>(*next);
    if (stream.offers()) {
      if (!write_data(to, stream)) return;
      continue;
    }
    if (!to.fits(0)) return;
    to.frame(smux_command::fin, stream.id);
    scheduler_.sent(stream, smux_header::size);
    scheduler_.remove(stream);
    stream.fin_sent = true;
    erase_if_over(stream);
  }
}

/// One frame of what the stream offers; false when `to` is full.
bool smux_core::write_data(frame_writer& to, smux_stream& stream) {
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(config_.max_frame, stream.out.available()));
  size = std::min<std::size_t>(size, stream.source != nullptr ? stream.source_left : stream.offer.size());
  if (!to.fits(size)) {
    const bool worthwhile = to.filled == 0 || to.room() >= least_room;
    if (!worthwhile || !to.fits(1)) return false;
    size = to.room() - smux_header::size;
  }
  if (stream.source == nullptr)
    write_offer(to, stream, size);
  else
    write_source(to, stream, size);
  if (!stream.offers()) sent_.push_back(stream.id);
  schedule(stream);
  return true;
}

void smux_core::write_offer(frame_writer& to, smux_stream& stream, std::size_t size) {
  to.frame(smux_command::psh, stream.id, stream.offer.first(size));
  stream.offer = stream.offer.subspan(size);
  stream.out.spend(size);
  scheduler_.sent(stream, smux_header::size + size);
}

/// Up to `size` bytes; how many there are is known when they have been taken.
void smux_core::write_source(frame_writer& to, smux_stream& stream, std::size_t size) {
  const byte_source::taken got = stream.source->take(to.payload(size));
  assert(got.count <= size);
  stream.finishing |= got.last;
  stream.source_left -= static_cast<std::uint32_t>(got.count);
  stream.out.spend(got.count);
  // Without a window it is for its owner to look whether only the end is left: that needs none.
  const bool more = got.count == size && !got.last && stream.source_left > 0 && stream.out.available() > 0;
  if (!more) stream.source = nullptr;
  if (got.count == 0) return;
  to.frame_in_place(smux_command::psh, stream.id, got.count);
  scheduler_.sent(stream, smux_header::size + got.count);
}

std::optional<stream_id> smux_core::poll_sent() {
  if (sent_told_ < sent_.size()) return sent_[sent_told_++];
  sent_.clear();
  sent_told_ = 0;
  return std::nullopt;
}

} // namespace gotunnel::wire
