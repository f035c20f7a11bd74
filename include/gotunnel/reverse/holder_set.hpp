// The sessions that hold one public port together, and which of them gets the next visitor: the one with the
// fewest; of equals, in turns. One whose client is away for a moment gets them only when all are.
//
//   holder_set holders;
//   auto replaced = holders.add({session, service, carrier});     // who had this carrier's number, if anybody
//   const auto* next = holders.next();                            // none when all of them are over
//   visitor_ticket ticket = holders.admit(*next);                 // counts until it is dropped
//   holders.turn_away(session);                                   // it is over: it gets no more visitors
//
// At most one place a carrier number; wire/control limits the numbers. What next() points to is good until
// the set changes. On the front worker.
#pragma once

#include "gotunnel/reverse/port_holder.hpp"

#include <vector>

namespace gotunnel::reverse {

class holder_set {
public:
  struct place {
    holder_ptr holder;
    std::uint64_t service = 0; ///< id of the holder's bind
    std::uint8_t carrier = 0;  ///< 0: this one holds the port alone
    std::shared_ptr<visitor_ticket::count> visitors = std::make_shared<visitor_ticket::count>(0);
    bool over = false;
    bool away = false;  ///< it waits for another carrier ...
    time_point until{}; ///< ... for so long at most
  };

  /// The holder that had this carrier number until now: its session is to be told.
  [[nodiscard]] holder_ptr add(place newcomer);
  /// False when it has no place here.
  bool remove(const port_holder& holder);
  void turn_away(const port_holder& holder);
  /// False when it has no place here.
  bool set_away(const port_holder& holder, bool away, time_point until = {});
  void clear() { places_.clear(); }

  [[nodiscard]] const place* next() const;
  [[nodiscard]] visitor_ticket admit(const place& to);

  [[nodiscard]] bool contains(const port_holder& holder) const;
  [[nodiscard]] const std::vector<place>& places() const noexcept { return places_; }
  /// Whether others may join: the holders have numbers.
  [[nodiscard]] bool joinable() const { return !places_.empty() && places_.front().carrier != 0; }
  /// Nobody is there for visitors now.
  [[nodiscard]] bool all_away() const;
  /// When the last of those who are away will have gone for good, unless it comes back.
  [[nodiscard]] time_point gone_by() const;
  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }
  [[nodiscard]] std::vector<holder_ptr> everybody() const;

private:
  std::vector<place> places_;
  std::size_t turn_ = 0; ///< where next() begins to look
};

} // namespace gotunnel::reverse
