// What a session remembers of one alive stream; smux_core owns and drives it.
//
// Two bases link it, without allocation, into the session's lists: the scheduler's lanes (it has data or a
// FIN to send) and the list of streams with a SYN or an UPD to send. Being destroyed takes it out of both.
#pragma once

#include "gotunnel/base/byte_source.hpp"
#include "gotunnel/wire/smux_scheduler.hpp"
#include "gotunnel/wire/smux_window.hpp"

#include <boost/intrusive/list.hpp>

namespace gotunnel::wire {

struct smux_stream
    : smux_scheduler::entry,
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  smux_stream(stream_id with, std::uint8_t version, bool opened_by_peer) noexcept
      : id(with), from_peer(opened_by_peer), in(version), out(version) {}

  /// There are bytes to be sent, or there may be.
  [[nodiscard]] bool offers() const noexcept { return source != nullptr || !offer.empty(); }
  /// Something for the scheduler: bytes that the peer's window has room for, or the FIN after them.
  [[nodiscard]] bool ready() const noexcept {
    return offers() ? out.available() > 0 : finishing && !fin_sent;
  }
  /// Both directions ended and nothing is left to read.
  [[nodiscard]] bool over() const noexcept { return fin_sent && peer_finished && in.buffered() == 0; }

  stream_id id;
  bool from_peer;             ///< opened by the peer
  bool syn_pending = false;   ///< our SYN is not framed yet
  bool upd_pending = false;   ///< an UPD is due and not framed yet
  bool finishing = false;     ///< no more offers
  bool fin_sent = false;      ///< our FIN is framed
  bool peer_finished = false; ///< the peer's FIN came
  std::uint32_t source_left = 0;
  receive_window in;
  send_credit out;
  time_point waits_since{}; ///< of what is buffered: when it came, or when the reader drained a part of it
  bytes_view offer{};       ///< what is left of the caller's bytes
  byte_source* source = nullptr; ///< to be asked for source_left bytes; instead of an offer
};

} // namespace gotunnel::wire
