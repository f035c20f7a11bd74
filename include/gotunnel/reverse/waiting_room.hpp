// Where strangers wait while they are admitted: so many in all, so many of one source, the oldest leaves
// first.
//
//   waiting_room::place here(room, *stream, wire::source_of(peer));    // for as long as the admission runs
//   const bool still_here = co_await here.wait(2s);                    // for its turn
//
// When a source has all of its places, its own oldest stranger is dropped for the newcomer; when the room is
// full, the oldest of all: whoever holds places without going on cannot keep others out. Dropping closes the
// stream abruptly and ends wait(), and an admission waits for nothing else for long: it ends in its next
// turn, and what it held is gone with its place. A stream outlives its place. One worker.
#pragma once

#include "gotunnel/base/counters.hpp"
#include "gotunnel/net/stream.hpp"
#include "gotunnel/wire/source.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <list>
#include <map>
#include <optional>

namespace gotunnel::reverse {

namespace asio = boost::asio;

struct waiting_limits {
  std::size_t all = 512; ///< each costs 40 KiB: its TLS connection, and a record that has not come whole
  std::size_t of_a_source = 64; ///< a whole office behind one address may come back at once

  /// Of one of so many rooms: 1,024 strangers in all, as far as a room of a useful size allows.
  [[nodiscard]] static waiting_limits of_one_in(std::size_t rooms) noexcept {
    return {.all = std::clamp<std::size_t>(1024 / rooms, 128, 512)};
  }
};

class waiting_room {
public:
  explicit waiting_room(waiting_limits limits = {}) : limits_(limits) {}

  class place {
  public:
    place(waiting_room& room, net::stream& who, const wire::source_key& source);
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place();

    /// Returns after `length`, or at once when the stranger is dropped: whether it is still here.
    [[nodiscard]] asio::awaitable<bool> wait(duration length);

  private:
    friend class waiting_room;

    waiting_room& room_;
    net::stream& who_;
    wire::source_key source_;
    bool dropped_ = false;
    std::optional<asio::steady_timer> nap_; ///< while it waits
    std::list<place*>::iterator among_all_;
    std::list<place*>::iterator among_source_;
    counters::held counted_{counter::strangers};
  };

  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }

private:
  void drop(place& oldest);
  void leave(place& who);

  waiting_limits limits_;
  std::list<place*> all_; ///< oldest first
  // Ordered rather than hashed: strangers choose the keys, and could choose them to collide.
  std::map<wire::source_key, std::list<place*>> sources_;
};

} // namespace gotunnel::reverse
