#include "link_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gotunnel::wan {

namespace {

std::int64_t in_us(duration time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

} // namespace

std::string describe(const link_counters& c) {
  return fmt::format("entered {} left {} lost {} late {} overflow {} gated {} behind_us {} most_behind_us {}",
                     c.entered, c.left, c.lost, c.late, c.overflow, c.gated,
                     in_us(c.behind) / std::max<std::int64_t>(1, static_cast<std::int64_t>(c.left)),
                     in_us(c.most_behind));
}

/// Written out, because the distributions of the standard library differ from one library to the next.
bool link_model::happens(double share) noexcept {
  return static_cast<double>(chance_() >> 11) * 0x1p-53 < share;
}

/// Two draws whatever comes of them, so that neither share moves the luck of the other.
link_model::fate link_model::draw() noexcept {
  const bool lost = happens(settings_.loss);
  const bool late = happens(settings_.reorder);
  return lost ? fate::lost : late ? fate::late : fate::in_order;
}

/// What the division leaves goes to the next packet: a train of packets takes the time of all its bits.
duration link_model::sending_time(std::size_t bytes) noexcept {
  if (settings_.rate == 0) return duration::zero();
  const std::uint64_t work = std::uint64_t{bytes} * 8 * 1'000'000'000 + remainder_;
  remainder_ = work % settings_.rate;
  return duration(static_cast<duration::rep>(work / settings_.rate));
}

/// The first of the queue begins when the line is free and not before `earliest`.
void link_model::start_sending(time_point earliest) noexcept {
  if (earliest > sent_) {
    sent_ = earliest;
    remainder_ = 0; // the line has rested
  }
  sent_ += sending_time(queue_.front().content.size());
}

void link_model::configure(const link_settings& settings, time_point now) {
  advance(now);
  const bool thawing = settings_.mode == gate::freeze;
  settings_ = settings;
  remainder_ = 0;
  if (settings_.mode == gate::cut) {
    counters_.gated += queue_.size() + in_order_.size() + late_.size();
    queue_.clear();
    in_order_.clear();
    late_.clear();
    under_way_ = 0;
  }
  if (thawing) {
    for (flying& each : in_order_) each.due = std::max(each.due, now);
    for (flying& each : late_) each.due = std::max(each.due, now);
  }
  sent_ = now;
  if (!queue_.empty()) start_sending(now);
  advance(now);
}

void link_model::enter(packet entering, time_point now) {
  const fate its = draw();
  ++counters_.entered;
  if (settings_.mode == gate::drop || settings_.mode == gate::cut) {
    ++counters_.gated;
    return;
  }
  advance(now);
  if (queue_.size() >= settings_.queue_limit() || under_way_ + entering.size() > most_under_way) {
    ++counters_.overflow;
    return;
  }
  queue_.push_back({std::move(entering), now, its});
  if (queue_.size() == 1) start_sending(now);
  advance(now);
}

/// Everything that the line has sent by `now` is under way.
void link_model::advance(time_point now) {
  if (settings_.mode == gate::freeze) return;
  while (!queue_.empty() && sent_ <= now) {
    waiting sent = std::move(queue_.front());
    queue_.pop_front();
    take_off(std::move(sent));
    if (!queue_.empty()) start_sending(queue_.front().since);
  }
}

void link_model::take_off(waiting sent) {
  if (sent.its == fate::lost) {
    ++counters_.lost;
    return;
  }
  const bool late = sent.its == fate::late;
  if (late) ++counters_.late;
  auto& flight = late ? late_ : in_order_;
  time_point due = sent_ + settings_.delay + (late ? settings_.lateness() : duration::zero());
  // The delay may have become shorter meanwhile.
  if (!flight.empty()) due = std::max(due, flight.back().due);
  under_way_ += sent.content.size();
  flight.push_back({std::move(sent.content), due});
}

std::optional<packet> link_model::leave(time_point now) {
  if (settings_.mode == gate::freeze) return std::nullopt;
  advance(now);
  const bool late_first = !late_.empty() && (in_order_.empty() || late_.front().due < in_order_.front().due);
  auto& flight = late_first ? late_ : in_order_;
  if (flight.empty() || flight.front().due > now) return std::nullopt;
  const duration behind = now - flight.front().due;
  counters_.behind += behind;
  counters_.most_behind = std::max(counters_.most_behind, behind);
  packet arrived = std::move(flight.front().content);
  flight.pop_front();
  under_way_ -= arrived.size();
  ++counters_.left;
  return arrived;
}

time_point link_model::deadline() const noexcept {
  if (settings_.mode == gate::freeze) return never;
  time_point next = never;
  if (!in_order_.empty()) next = std::min(next, in_order_.front().due);
  if (!late_.empty()) next = std::min(next, late_.front().due);
  if (!queue_.empty()) next = std::min(next, sent_ + settings_.delay);
  return next;
}

} // namespace gotunnel::wan
