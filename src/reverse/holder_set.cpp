#include "gotunnel/reverse/holder_set.hpp"

#include <algorithm>

namespace gotunnel::reverse {
namespace {

auto of(const port_holder& holder) {
  return [&holder](const holder_set::place& each) { return each.holder.get() == &holder; };
}

} // namespace

holder_ptr holder_set::add(place newcomer) {
  const auto same_number = [&](const place& each) { return each.carrier == newcomer.carrier; };
  const auto found = std::find_if(places_.begin(), places_.end(), same_number);
  if (found == places_.end()) {
    places_.push_back(std::move(newcomer));
    return nullptr;
  }
  const place former = std::exchange(*found, std::move(newcomer));
  return former.holder;
}

bool holder_set::remove(const port_holder& holder) {
  const auto found = std::find_if(places_.begin(), places_.end(), of(holder));
  if (found == places_.end()) return false;
  if (found - places_.begin() < static_cast<std::ptrdiff_t>(turn_)) --turn_; // whose turn it is has moved up
  places_.erase(found);
  return true;
}

void holder_set::turn_away(const port_holder& holder) {
  const auto found = std::find_if(places_.begin(), places_.end(), of(holder));
  if (found != places_.end()) found->over = true;
}

bool holder_set::set_away(const port_holder& holder, bool away, time_point until) {
  const auto found = std::find_if(places_.begin(), places_.end(), of(holder));
  if (found == places_.end()) return false;
  found->away = away;
  found->until = until;
  return true;
}

time_point holder_set::gone_by() const {
  time_point last{};
  for (const place& each : places_) last = std::max(last, each.until);
  return last;
}

bool holder_set::all_away() const {
  return std::all_of(places_.begin(), places_.end(), [](const place& each) { return each.away; });
}

const holder_set::place* holder_set::next() const {
  const place* lightest = nullptr;
  std::size_t fewest = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const place& each = places_[(turn_ + i) % places_.size()];
    // The count moves under us; a visitor that leaves in this moment is seen the next time.
    const std::size_t visitors = each.visitors->load();
    const bool better = lightest == nullptr || (lightest->away && !each.away) ||
                        (lightest->away == each.away && visitors < fewest);
    if (each.over || !better) continue;
    lightest = &each;
    fewest = visitors;
  }
  return lightest;
}

visitor_ticket holder_set::admit(const place& to) {
  turn_ = static_cast<std::size_t>(&to - places_.data()) + 1;
  return visitor_ticket(to.visitors);
}

bool holder_set::contains(const port_holder& holder) const {
  return std::any_of(places_.begin(), places_.end(), of(holder));
}

std::vector<holder_ptr> holder_set::everybody() const {
  std::vector<holder_ptr> all;
  for (const place& each : places_) all.push_back(each.holder);
  return all;
}

} // namespace gotunnel::reverse
