#include "gotunnel/wire/stranger_book.hpp"

#include <algorithm>

namespace gotunnel::wire {
namespace {

/// Until a bucket that is full again at `full` has a token.
duration wait_for_token(time_point full, const stranger_book::rate& at, time_point now) noexcept {
  const time_point taken = std::max(full, now) + at.interval;
  return std::max<duration>(taken - at.burst * at.interval - now, duration::zero());
}

} // namespace

std::optional<stranger_book::turn> stranger_book::ask(const ip_endpoint& source,
                                                      const std::optional<peer_id>& claimed, time_point now) {
  turn its{source, claimed};
  if (claimed && known_.contains(*claimed)) return its;
  its.wait =
      std::max(wait_for_token(all_, limits_.all, now), wait_for(source_of(source), limits_.address, now));
  if (const auto site = site_of(source)) its.wait = std::max(its.wait, wait_for(*site, limits_.site, now));
  if (its.wait > limits_.patience || crowded(now)) return std::nullopt;
  its.paid = true;
  take(its, now);
  return its;
}

void stranger_book::failed(const turn& its, time_point now) {
  if (its.paid) return;
  take(its, now);
  const auto found = known_.find(*its.claimed);
  if (found == known_.end()) return;
  latest_.erase(found->second);
  known_.erase(found);
}

void stranger_book::succeeded(const turn& its, time_point now) {
  left(its, now);
  if (its.claimed) know(*its.claimed);
}

void stranger_book::know(const peer_id& client) {
  if (const auto found = known_.find(client); found != known_.end()) {
    latest_.splice(latest_.end(), latest_, found->second);
    return;
  }
  if (known_.size() >= limits_.known) {
    known_.erase(latest_.front());
    latest_.pop_front();
  }
  known_.emplace(client, latest_.insert(latest_.end(), client));
}

void stranger_book::left(const turn& its, time_point now) {
  if (!its.paid) return;
  all_ -= limits_.all.interval;
  give_back(source_of(its.source), limits_.address, now);
  if (const auto site = site_of(its.source)) give_back(*site, limits_.site, now);
}

void stranger_book::take(const turn& its, time_point now) {
  all_ = std::max(all_, now) + limits_.all.interval;
  take(source_of(its.source), limits_.address, now);
  if (const auto site = site_of(its.source)) take(*site, limits_.site, now);
}

void stranger_book::take(const source_key& source, const rate& at, time_point now) {
  bucket& its = buckets_.try_emplace(source, now).first->second;
  its = std::max(its, now) + at.interval;
}

void stranger_book::give_back(const source_key& source, const rate& at, time_point now) {
  const auto found = buckets_.find(source);
  if (found == buckets_.end()) return;
  found->second -= at.interval;
  if (found->second <= now) buckets_.erase(found);
}

duration stranger_book::wait_for(const source_key& source, const rate& at, time_point now) const {
  const auto found = buckets_.find(source);
  return wait_for_token(found == buckets_.end() ? now : found->second, at, now);
}

/// Whether there is no room for another address and its site.
bool stranger_book::crowded(time_point now) {
  if (buckets_.size() + 2 <= limits_.capacity) return false;
  std::erase_if(buckets_, [now](const auto& each) { return each.second <= now; });
  return buckets_.size() + 2 > limits_.capacity;
}

} // namespace gotunnel::wire
