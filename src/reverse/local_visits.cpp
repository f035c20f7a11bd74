#include "gotunnel/reverse/local_visits.hpp"

#include <algorithm>
#include <utility>

namespace gotunnel::reverse {

local_visits::key local_visits::key_of(const connection& which) {
  key made{};
  auto to = made.begin();
  for (const wire::ip_endpoint* each : {&which.source, &which.destination}) {
    *to++ = std::byte{each->v6};
    to = std::copy(each->ip.begin(), each->ip.end(), to);
    *to++ = static_cast<std::byte>(each->port >> 8);
    *to++ = static_cast<std::byte>(each->port & 0xff);
  }
  return made;
}

local_visits::visit::visit(local_visits& among) noexcept
    : among_(among), admitted_(among.count_ < among.most_) {
  if (admitted_) ++among_.count_;
}

local_visits::visit::~visit() {
  take(side::visitor);
  take(side::dial);
  if (admitted_) --among_.count_;
}

bool local_visits::visit::came_by(const connection& which) { return put(which, side::visitor); }

bool local_visits::visit::dialled(const connection& which) { return put(which, side::dial); }

/// Whether it is known from the other side already.
bool local_visits::visit::put(const connection& which, side ours) {
  take(ours);
  const auto at = among_.marks_.try_emplace(key_of(which)).first;
  marks_[ours] = at;
  ++at->second[ours];
  return at->second[ours == side::visitor ? side::dial : side::visitor] > 0;
}

void local_visits::visit::take(side ours) {
  const auto at = std::exchange(marks_[ours], std::nullopt);
  if (!at) return;
  --(*at)->second[ours];
  if ((*at)->second == side_counts{}) among_.marks_.erase(*at);
}

} // namespace gotunnel::reverse
