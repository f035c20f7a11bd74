// Who failed to prove the secret, and how long they wait for the bad news. Sans-IO.
//
//   const duration wait = book.penalty(source, now);   // the proof was wrong:
//   book.failed(source, now);                          // remember it,
//   ... hold the refusal back for `wait` ...           // and slow the guessing down
//   book.succeeded(source);                            // the proof was right: forget the failures
//
// Sources are those of wire/source. A right proof is never held back, so a client behind the same address as
// a guesser does not suffer.
// Memory is bounded: sources are forgotten after a while, and the one that failed longest ago makes room.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/wire/source.hpp"

#include <list>
#include <map>

namespace gotunnel::wire {

class stranger_book {
public:
  static constexpr duration first_penalty = 100ms; ///< for the second failure; the first costs nothing
  static constexpr duration penalty_limit = 5s;
  static constexpr duration memory = 10min; ///< since the last failure
  static constexpr std::size_t capacity = 4096;

  [[nodiscard]] duration penalty(const ip_endpoint& source, time_point now) const;
  void failed(const ip_endpoint& source, time_point now);
  void succeeded(const ip_endpoint& source);
  /// Sources that are remembered, those whose time has passed but who still await removal included.
  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }

private:
  struct entry {
    source_key source;
    duration penalty; ///< of the next failure
    time_point last;
  };

  std::list<entry> entries_; ///< the latest failure last
  // Ordered rather than hashed: strangers choose the keys, and could choose them to collide.
  std::map<source_key, std::list<entry>::iterator> places_;
};

} // namespace gotunnel::wire
