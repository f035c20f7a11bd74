#include "gotunnel/wire/smux_scheduler.hpp"

#include <algorithm>
#include <cassert>

namespace gotunnel::wire {
namespace {

// Many short streams in a row must not silence the long ones.
constexpr std::int64_t overtaking_quanta = 8;

} // namespace

void smux_scheduler::add(entry& waiting) noexcept {
  if (waiting.queued()) return;
  if (waiting.prioritized_) return enqueue(waiting, entry::lane::prioritized);
  // One whole round has passed since its last quantum: it had less than its share and may be quick again.
  if (round_ >= waiting.granted_in_ + 2) {
    waiting.deficit_ = quantum_;
    waiting.granted_in_ = round_;
    waiting.lane_ = entry::lane::overtaking;
  }
  // As in every deficit round robin, what is left of a turn is lost with it. So every turn
  // brings a quantum, and the round of the last quantum tells who was idle.
  if (waiting.lane_ == entry::lane::turns) waiting.deficit_ = std::min<std::int64_t>(waiting.deficit_, 0);
  enqueue(waiting, waiting.lane_);
}

void smux_scheduler::prioritize(entry& chosen) noexcept {
  chosen.prioritized_ = true;
  if (chosen.queued()) enqueue(chosen, entry::lane::prioritized);
}

smux_scheduler::entry* smux_scheduler::front() noexcept {
  if (!prioritized_.empty()) return &prioritized_.front();
  const bool may_overtake = turns_.empty() || overtaken_ < overtaking_quanta * quantum_;
  if (!overtaking_.empty() && may_overtake) return &overtaking_.front();
  if (turns_.empty()) return nullptr;
  entry& next = turns_.front();
  if (next.deficit_ <= 0) {
    // Entries join at the end, so meeting one that had its quantum in this round means that all others had
    // theirs.
    if (next.granted_in_ == round_) ++round_;
    next.granted_in_ = round_;
    next.deficit_ += quantum_;
  }
  return &next;
}

void smux_scheduler::sent(entry& sender, std::size_t bytes) noexcept {
  assert(sender.queued() && static_cast<std::int64_t>(bytes) <= quantum_);
  if (sender.lane_ == entry::lane::prioritized) return enqueue(sender, entry::lane::prioritized);
  const auto size = static_cast<std::int64_t>(bytes);
  overtaken_ = sender.lane_ == entry::lane::overtaking ? overtaken_ + size : 0;
  sender.deficit_ -= size;
  if (sender.deficit_ <= 0) enqueue(sender, entry::lane::turns);
}

void smux_scheduler::enqueue(entry& waiting, entry::lane lane) noexcept {
  waiting.hook_.unlink();
  waiting.lane_ = lane;
  list(lane).push_back(waiting);
}

smux_scheduler::lane_list& smux_scheduler::list(entry::lane lane) noexcept {
  switch (lane) {
  case entry::lane::prioritized: return prioritized_;
  case entry::lane::overtaking: return overtaking_;
  case entry::lane::turns: break;
  }
  return turns_;
}

} // namespace gotunnel::wire
