#include "gotunnel/wire/stranger_book.hpp"

#include <algorithm>

namespace gotunnel::wire {

duration stranger_book::penalty(const ip_endpoint& source, time_point now) const {
  const auto place = places_.find(source_of(source));
  if (place == places_.end() || now - place->second->last >= memory) return duration::zero();
  return place->second->penalty;
}

void stranger_book::failed(const ip_endpoint& source, time_point now) {
  while (!entries_.empty() && now - entries_.front().last >= memory) {
    places_.erase(entries_.front().source);
    entries_.pop_front();
  }

  const source_key who = source_of(source);
  if (const auto place = places_.find(who); place != places_.end()) {
    entry& known = *place->second;
    known.penalty = std::min(known.penalty * 2, penalty_limit);
    known.last = now;
    entries_.splice(entries_.end(), entries_, place->second);
    return;
  }
  if (entries_.size() == capacity) {
    places_.erase(entries_.front().source);
    entries_.pop_front();
  }
  entries_.push_back({who, first_penalty, now});
  places_.emplace(who, std::prev(entries_.end()));
}

void stranger_book::succeeded(const ip_endpoint& source) {
  const auto place = places_.find(source_of(source));
  if (place == places_.end()) return;
  entries_.erase(place->second);
  places_.erase(place);
}

} // namespace gotunnel::wire
