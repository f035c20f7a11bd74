// How many proofs of the secret are looked at: so many of a source, so many of all. Sans-IO.
//
//   const auto turn = book.ask(source, claimed, now);     // a proof has come; nothing: close without a verdict
//   ... after turn->wait: look at the proof, and say what it was:
//   book.failed(*turn, now);                               // the turn is used up
//   book.succeeded(*turn, now);                            // it is given back, and the client is known
//   book.left(*turn, now);                                 // it is given back: nobody looked
//
// A turn takes a token of three buckets: that of the address (IPv4, or an IPv6 /64), that of its site (an
// IPv6 /48), and that of all. Only wrong proofs use tokens up. So clients with the secret do not wait,
// however many come back at once, until strangers of their source have emptied its bucket. From then on a
// right proof waits like a wrong one, and neither is looked at when it would wait longer than `patience`: the
// time of a verdict tells nothing, and few wait.
//
// A client that has proved the secret is known by its id and does not wait for strangers of its source.
// Nobody else knows the id; a wrong proof under it ends the privilege.
//
// Nothing is forgotten too early, and yet memory is bounded: a bucket is dropped when it is full again, and
// the bucket of all lets only a few hundred others be less than full. At `capacity` strangers of further
// sources are not heard.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/wire/psk_auth.hpp"
#include "gotunnel/wire/source.hpp"

#include <list>
#include <map>
#include <optional>

namespace gotunnel::wire {

class stranger_book {
public:
  struct rate {
    duration interval; ///< after which a token comes back
    int burst;         ///< tokens of a full bucket
  };
  struct limits {
    rate address{500ms, 20}; ///< a rotation leaves a whole office with the former secret
    rate site{250ms, 40};
    rate all{10ms, 500};
    duration patience = 3s;
    std::size_t capacity = 4096; ///< sources
    std::size_t known = 4096;    ///< clients; the one that proved the secret longest ago makes room
  };

  struct turn {
    ip_endpoint source;
    std::optional<peer_id> claimed; ///< who it says it is; seed peers do not say
    duration wait{};                ///< until the turn comes
    bool paid = false;              ///< with tokens
  };

  stranger_book() : stranger_book(limits{}) {}
  explicit stranger_book(const limits& with) : limits_(with) {}

  [[nodiscard]] std::optional<turn> ask(const ip_endpoint& source, const std::optional<peer_id>& claimed,
                                        time_point now);
  void failed(const turn& its, time_point now);
  void succeeded(const turn& its, time_point now);
  /// A client that proved the secret to a former process.
  void know(const peer_id& client);
  void left(const turn& its, time_point now);

  /// Sources that are remembered, those included whose time has passed but who still await removal.
  [[nodiscard]] std::size_t size() const noexcept { return buckets_.size(); }

private:
  /// When it is full again: the "theoretical arrival time" of the generic cell rate algorithm.
  using bucket = time_point;

  void take(const turn& its, time_point now);
  void take(const source_key& source, const rate& at, time_point now);
  void give_back(const source_key& source, const rate& at, time_point now);
  [[nodiscard]] duration wait_for(const source_key& source, const rate& at, time_point now) const;
  [[nodiscard]] bool crowded(time_point now);

  limits limits_;
  bucket all_{};
  // Ordered rather than hashed: strangers choose the keys, and could choose them to collide.
  std::map<source_key, bucket> buckets_; ///< of addresses and sites
  std::list<peer_id> latest_;            ///< the latest proof last
  std::map<peer_id, std::list<peer_id>::iterator> known_;
};

} // namespace gotunnel::wire
