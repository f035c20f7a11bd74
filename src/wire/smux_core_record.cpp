// A session as a record, for the process that takes it over.
#include "gotunnel/wire/smux_core.hpp"

#include <cassert>

namespace gotunnel::wire {

void smux_core::save(record_writer& to) const {
  assert(input_.empty() && sent_told_ == sent_.size());
  ack_.save(to);
  to.put(next_id_);
  to.put(drained_);
  to.put(round_trip_);
  to.put(nop_pending_);

  to.put(std::uint64_t{body_left_});
  to.put(deliver_);
  std::array<std::byte, smux_header::size> header;
  encode(header_, header);
  to.put_raw(header);
  to.put_bytes(bytes_view{gathered_bytes_}.first(gathered_));

  to.put(std::uint64_t{farewells_.size()});
  for (const farewell& each : farewells_) {
    to.put(each.id);
    to.put(static_cast<std::uint32_t>(each.reason));
    to.put(each.refusal);
  }
  to.put(std::uint64_t{streams_.size()});
  for (const auto& [id, stream] : streams_) {
    to.put(id);
    // An end behind an offer is offered anew with it.
    const bool finishing = stream.finishing && !stream.offers();
    for (const bool each : {stream.from_peer, stream.syn_pending, stream.upd_pending, finishing,
                            stream.fin_sent, stream.peer_finished})
      to.put(each);
    stream.in.save(to);
    stream.out.save(to);
  }
}

void smux_core::load(record_reader& from) {
  assert(streams_.empty() && ack_.received() == 0);
  ack_.load(from);
  next_id_ = from.take<std::uint64_t>();
  from.require(next_id_ % 2 == (config_.role == smux_role::client ? 1 : 0));
  drained_ = from.take<std::uint64_t>();
  round_trip_ = from.take_duration();
  nop_pending_ = from.take_flag();
  load_input(from);

  for (auto left = from.take<std::uint64_t>(); left > 0 && !from.broken(); --left) {
    const auto id = from.take<stream_id>();
    const auto reason = static_cast<smux_reset_reason>(from.take<std::uint32_t>());
    farewells_.push_back({id, reason, from.take_flag()});
    if (farewells_.back().refusal) ++refusals_;
  }
  for (auto left = from.take<std::uint64_t>(); left > 0 && !from.broken(); --left) load_stream(from);
  // The rest of a frame that was permitted is.
  const smux_stream* const receiver = deliver_ && body_left_ > 0 ? find(header_.id) : nullptr;
  from.require(receiver == nullptr || receiver->in.permits(body_left_));
}

/// Where the next bytes of the peer belong.
void smux_core::load_input(record_reader& from) noexcept {
  body_left_ = static_cast<std::size_t>(from.take<std::uint64_t>());
  deliver_ = from.take_flag();
  std::array<std::byte, smux_header::size> bytes;
  from.take_into(bytes);
  const bytes_view gathered = from.take_bytes();
  if (from.broken()) return;
  if (body_left_ > 0) {
    const auto header = decode_header(bytes, config_.version, config_.resets, config_.resumable);
    if (!header) return from.require(false);
    header_ = *header;
    // The body of a control frame is gathered, data is handed on as it comes.
    const bool data = header_.command == smux_command::psh;
    from.require(data ? body_left_ <= header_.length && gathered.empty()
                      : body_left_ == header_.length && gathered.size() < header_.length);
  }
  from.require(gathered.size() < gathered_bytes_.size());
  if (from.broken()) return;
  gathered_ = gathered.size();
  std::copy(gathered.begin(), gathered.end(), gathered_bytes_.begin());
}

void smux_core::load_stream(record_reader& from) {
  const auto id = from.take<stream_id>();
  const bool from_peer = from.take_flag();
  from.require(id != 0 && find(id) == nullptr);
  if (from.broken()) return;
  smux_stream& stream = add_stream(id, from_peer);
  if (from_peer) ++peer_streams_;
  for (bool* const each :
       {&stream.syn_pending, &stream.upd_pending, &stream.finishing, &stream.fin_sent, &stream.peer_finished})
    *each = from.take_flag();
  stream.in.load(from);
  stream.out.load(from);
  if (from.broken()) return;
  from.require(stream.finishing || !stream.fin_sent);
  stream.waits_since = received_at_;
  buffered_ += static_cast<std::size_t>(stream.in.buffered());
  growth_ += stream.in.growth();
  if (stream.syn_pending || stream.upd_pending) queue_control(stream);
  schedule(stream);
}

bytes_view smux_core::offered(stream_id id) const noexcept {
  const smux_stream* const stream = find(id);
  return stream == nullptr ? bytes_view{} : stream->offer;
}

std::size_t smux_core::unread(stream_id id) const noexcept {
  const smux_stream* const stream = find(id);
  return stream == nullptr ? 0 : static_cast<std::size_t>(stream->in.buffered());
}

std::vector<stream_id> smux_core::unfinished() const {
  std::vector<stream_id> all;
  for (const auto& [id, stream] : streams_)
    if (!stream.finishing || !stream.peer_finished || stream.in.buffered() > 0) all.push_back(id);
  return all;
}

} // namespace gotunnel::wire
