// Where strangers wait while they are admitted: so many in all, so many of one source, the oldest leaves
// first.
//
//   const waiting_room::place here(room, *stream, wire::source_of(peer));    // for as long as the admission runs
//
// When a source has all of its places, its own oldest stranger is dropped for the newcomer; when the room is
// full, the oldest of all: whoever holds places without going on cannot keep others out. Dropping is an
// abrupt close() of the stream, whose admission then fails by itself. A stream outlives its place. One
// worker.
#pragma once

#include "gotunnel/base/counters.hpp"
#include "gotunnel/net/stream.hpp"
#include "gotunnel/wire/source.hpp"

#include <list>
#include <map>

namespace gotunnel::reverse {

struct waiting_limits {
  std::size_t all = 512;        ///< each costs about 50 KiB during its handshake
  std::size_t of_a_source = 64; ///< a whole office behind one address may come back at once
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

  private:
    friend class waiting_room;

    waiting_room& room_;
    net::stream& who_;
    wire::source_key source_;
    bool dropped_ = false;
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
