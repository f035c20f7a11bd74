// How many visitors may be there at once: in all, of one client, at one port, and of one address there.
//
//   visitor_quota quota({768, 0, 896});                            // one a server, on the front worker
//   auto crowd = quota.crowd_of(client_id);                        // one a public port, for as long as that client has it
//   if (quota.has_room(*crowd)) ...                                // before a visitor is accepted
//   auto let_in = quota.admit(*crowd, wire::source_of(peer), descriptor);
//   if (auto* seat = std::get_if<visitor_seat>(&let_in)) ...       // counts until it is dropped, on any thread
//
// A part is relative to what is still free: one address may have twice as much as is free, one port three
// times, one client four times. One address alone thus gets two thirds of all, two get two fifths each, and
// however many there are, something is left for the next: nobody's visitors keep those of others out. What an
// address may have can be fixed instead. The number of the descriptor says how many are in use for whatever
// purpose; from `descriptors` on visitors are refused, too.
#pragma once

#include "gotunnel/wire/psk_auth.hpp"
#include "gotunnel/wire/source.hpp"

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <variant>

namespace gotunnel::reverse {

struct visitor_limits {
  std::size_t all = std::numeric_limits<std::size_t>::max();
  std::size_t of_an_address = 0; ///< at one port; 0: a part of what is free
  int descriptors = std::numeric_limits<int>::max();
};

/// Changed by the threads on which visitors leave; read by the front worker.
using tally = std::atomic<std::size_t>;
using tally_ptr = std::shared_ptr<tally>;

/// Tallies by key. Those that nobody holds any more are forgotten when others are added.
class tally_book {
public:
  using key = std::array<std::byte, 16>;

  [[nodiscard]] tally_ptr of(const key& whose);
  [[nodiscard]] std::size_t size() const noexcept { return tallies_.size(); }

private:
  void forget_some();

  // Ordered rather than hashed: strangers choose the keys, and could choose them to collide.
  std::map<key, tally_ptr> tallies_;
  key swept_{}; ///< where forget_some() goes on
};

/// The visitors of one public port, while one client has it.
struct visitor_crowd {
  tally_ptr all;
  tally_ptr of_client;
  std::optional<wire::peer_id> client; ///< none for a seed peer
  tally here{0};
  tally_book addresses;
};
using visitor_crowd_ptr = std::shared_ptr<visitor_crowd>;

/// One visitor, counted for as long as this exists.
class visitor_seat {
public:
  visitor_seat(visitor_crowd_ptr at, tally_ptr address) noexcept;
  visitor_seat(visitor_seat&&) noexcept = default;
  visitor_seat& operator=(visitor_seat&&) = delete;
  ~visitor_seat();

private:
  visitor_crowd_ptr at_; ///< none once it was moved from
  tally_ptr address_;
};

/// Why there is no seat.
enum class crowding : std::uint8_t { all, client, port, address };

class visitor_quota {
public:
  explicit visitor_quota(const visitor_limits& limits) : limits_(limits) {}

  [[nodiscard]] visitor_crowd_ptr crowd_of(const std::optional<wire::peer_id>& client);
  /// Whether the next visitor has a chance, whatever its address.
  [[nodiscard]] bool has_room(const visitor_crowd& at) const noexcept;
  [[nodiscard]] std::variant<visitor_seat, crowding> admit(const visitor_crowd_ptr& at,
                                                           const wire::source_key& address, int descriptor);
  /// A visitor who is there already, whatever the limits.
  [[nodiscard]] static visitor_seat readmit(const visitor_crowd_ptr& at, const wire::source_key& address);

  [[nodiscard]] const visitor_limits& limits() const noexcept { return limits_; }
  [[nodiscard]] std::size_t count() const noexcept { return *all_; }

private:
  [[nodiscard]] std::size_t free() const noexcept;
  [[nodiscard]] std::optional<crowding> full(const visitor_crowd& at) const noexcept;

  visitor_limits limits_;
  tally_ptr all_ = std::make_shared<tally>(0);
  tally_book clients_;
};

} // namespace gotunnel::reverse
