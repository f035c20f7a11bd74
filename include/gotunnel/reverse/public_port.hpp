// A public port in the book: for whom it was asked, who holds it now, and its listener as long as there is
// one.
//
// The book (port_book.hpp) decides; this remembers. Destroyed, it listens no more. On the front worker.
#pragma once

#include "gotunnel/base/record.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/door.hpp"
#include "gotunnel/reverse/holder_set.hpp"
#include "gotunnel/wire/control.hpp"
#include "gotunnel/wire/psk_auth.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace gotunnel::reverse {

struct bind_question {
  std::uint16_t port = 0; ///< 0: the book chooses
  std::uint64_t service = 0;
  std::uint8_t carrier = 0; ///< number of the holder among those of its process; 0: it wants the port alone
  holder_ptr holder;
  std::string client_address; ///< for people
  /// Client and instance; none for a seed peer.
  std::optional<std::pair<wire::peer_id, wire::peer_id>> identity;
};

using bind_answer = std::function<void(wire::control_message)>;

/// A client that waits for a port whose holder is away.
struct bind_in_line {
  bind_question question;
  bind_answer answer; ///< called once
};

struct public_port {
  public_port(std::uint16_t of, const bind_question& question) : number(of) { hand_to(question); }

  // --- another process; the descriptors of its door go beside the record
  /// The name by which a holder is known there; none for one that stays.
  using name_of_holder = std::function<std::optional<wire::peer_id>(const port_holder&)>;
  using holder_of_name = std::function<holder_ptr(const wire::peer_id&)>;
  /// False, and nothing is written, when none of its holders goes there.
  [[nodiscard]] bool save(record_writer& to, const name_of_holder& name) const;
  /// What save() saved, all of whose holders are away; nothing when it is no such thing.
  [[nodiscard]] static std::shared_ptr<public_port> load(record_reader& from, const holder_of_name& holder);

  /// From now on the port belongs to whoever asks, and to nobody else.
  void hand_to(const bind_question& question);
  /// The id of the client that has it; none of a seed peer.
  [[nodiscard]] std::optional<wire::peer_id> client() const {
    return identity ? std::optional(identity->first) : std::nullopt;
  }
  /// Accepts nobody any more.
  void shut();
  /// `2027-01-31 23:59:59 UTC (5 s ago)`, for people.
  [[nodiscard]] std::string held_since() const;

  std::uint16_t number;
  std::string address;                  ///< of the latest door
  net::door door;                       ///< closed while all holders have been away for a while
  std::optional<net::deadline> hold;    ///< until it is closed, because all are away, or opened again
  holder_set holders;                   ///< not empty while the port is in the book
  visitor_crowd_ptr crowd;              ///< its visitors, of whoever has it now
  std::optional<time_point> full_since; ///< no visitor has a place
  std::deque<bind_in_line> line;        ///< who waits for it, only while all holders are away
  std::string client_address;
  std::optional<std::pair<wire::peer_id, wire::peer_id>> identity;
  // Two clocks on purpose: "since" is for people, "ago" must survive a clock that jumps.
  wall_time since;
  time_point since_steady;
};

using public_port_ptr = std::shared_ptr<public_port>;

} // namespace gotunnel::reverse
