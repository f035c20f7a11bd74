// The sending side of a session that outlives its carriers: what goes to the carrier next, be it new frames
// of the core or old ones once more.
//
//   while (out.wants_write()) { bytes = out.next(now); poll_sent ...; carrier.write(bytes); out.wrote(bytes.size()); }
//   core.feed(...), core.poll() ...; out.settle();              // what was acknowledged is given back
//   // the carrier broke; the peer is back on another one and says what it has received:
//   out.attach(peer_received, now);                             // and the loop above goes on from there
//
// Bytes are kept until the peer acknowledges them (smux_ack.hpp); the windows of the streams bound what can
// be on its way, and the limit does so whatever the windows say: from there on only ACKs leave, and not many
// more of them, either: a peer that asks for one again and again, and acknowledges none, is overfull(). With
// `keep` off nothing is kept beyond wrote(). What next() lends is good until wrote() or attach(). One thread.
#pragma once

#include "gotunnel/wire/sent_log.hpp"
#include "gotunnel/wire/smux_core.hpp"

namespace gotunnel::wire {

class resume {
public:
  static constexpr std::size_t default_limit = 32 * 1024 * 1024;
  static constexpr std::size_t least_limit = 1024 * 1024;
  /// What may be kept beyond the limit, of ACKs alone.
  static constexpr std::size_t answers_limit = 64 * 1024;

  /// The core outlives it; nobody else calls its transmit().
  resume(smux_core& core, bool keep, std::size_t limit = default_limit) noexcept
      : core_(core), keep_(keep), most_(limit), limit_(limit) {}
  resume(const resume&) = delete;
  resume& operator=(const resume&) = delete;

  [[nodiscard]] bool wants_write() const noexcept;
  /// The next bytes for the carrier; new frames of `most` bytes at most, 64 at least. Empty when there is
  /// nothing to say.
  [[nodiscard]] bytes_view next(time_point now, std::size_t most = sent_log::largest_batch);
  /// The carrier has taken these bytes of next().
  void wrote(std::size_t count) noexcept;
  /// Gives back what was acknowledged meanwhile.
  void settle() noexcept;

  /// Begins anew at what the peer has received. errc::broken_frame when it cannot have received that; the
  /// session is over then.
  [[nodiscard]] result<> attach(std::uint64_t peer_received, time_point now) noexcept;
  /// Whether attach() would succeed.
  [[nodiscard]] bool serves(std::uint64_t peer_received) const noexcept {
    return core_.acknowledged() <= peer_received && peer_received <= log_.end();
  }

  /// Bytes that may be kept from now on; least_limit at least, and never more than at first.
  void set_limit(std::uint64_t limit) noexcept;
  /// The session is to be ended: its peer takes answers and acknowledges nothing.
  [[nodiscard]] bool overfull() const noexcept { return log_.size() > most_ + answers_limit; }
  /// Only ACKs leave until the peer has acknowledged something.
  [[nodiscard]] bool full() const noexcept { return log_.size() >= limit_; }
  /// Bytes kept.
  [[nodiscard]] std::size_t kept() const noexcept { return log_.size(); }

  /// The core and what is kept, for a process that takes the session over. Nothing is fed that was not
  /// polled, and nothing sent that poll_sent() did not tell.
  void save(record_writer& to) const;
  /// Into this one and its core, both of which have not been used; attach() comes next. errc::broken_frame
  /// when that cannot have been saved; both are of no more use then.
  [[nodiscard]] result<> load(record_reader& from);

private:
  smux_core& core_;
  bool keep_;
  std::size_t most_; ///< that limit_ has been and may be
  std::size_t limit_;
  sent_log log_;
  std::uint64_t written_ = 0; ///< what precedes it the carrier has taken: the rest may be lent out
};

} // namespace gotunnel::wire
