#include "gotunnel/reverse/visitor_quota.hpp"

namespace gotunnel::reverse {
namespace {

// Times what is free. The narrower the circle the smaller its part, so that no address fills its port, no
// port its client, and no client the server.
constexpr std::size_t part_of_address = 2;
constexpr std::size_t part_of_port = 3;
constexpr std::size_t part_of_client = 4;
// Tallies that are looked at for each that is added: they are forgotten faster than new ones can come.
constexpr int swept_at_once = 2;

bool exceeds(std::size_t count, std::size_t part, std::size_t free) noexcept { return count / part >= free; }

} // namespace

tally_ptr tally_book::of(const key& whose) {
  const auto found = tallies_.find(whose);
  if (found != tallies_.end()) return found->second;
  forget_some();
  return tallies_.emplace(whose, std::make_shared<tally>(0)).first->second;
}

/// Copies are made on the front worker only: a tally that is held nowhere else stays so.
void tally_book::forget_some() {
  auto next = tallies_.lower_bound(swept_);
  for (int left = swept_at_once; left > 0 && !tallies_.empty(); --left) {
    if (next == tallies_.end()) next = tallies_.begin();
    next = next->second.use_count() == 1 ? tallies_.erase(next) : std::next(next);
  }
  swept_ = next == tallies_.end() ? key{} : next->first;
}

visitor_seat::visitor_seat(visitor_crowd_ptr at, tally_ptr address) noexcept
    : at_(std::move(at)), address_(std::move(address)) {
  ++*at_->all;
  ++*at_->of_client;
  ++at_->here;
  ++*address_;
}

visitor_seat::~visitor_seat() {
  if (!at_) return;
  --*at_->all;
  --*at_->of_client;
  --at_->here;
  --*address_;
}

visitor_crowd_ptr visitor_quota::crowd_of(const std::optional<wire::peer_id>& client) {
  auto crowd = std::make_shared<visitor_crowd>();
  crowd->all = all_;
  // A seed peer has one port, and no name by which another of its sessions could be known.
  crowd->of_client = client ? clients_.of(*client) : std::make_shared<tally>(0);
  crowd->client = client;
  return crowd;
}

std::size_t visitor_quota::free() const noexcept {
  const std::size_t count = *all_;
  return limits_.all > count ? limits_.all - count : 0;
}

std::optional<crowding> visitor_quota::full(const visitor_crowd& at) const noexcept {
  const std::size_t left = free();
  if (left == 0) return crowding::all;
  if (exceeds(*at.of_client, part_of_client, left)) return crowding::client;
  if (exceeds(at.here, part_of_port, left)) return crowding::port;
  return std::nullopt;
}

bool visitor_quota::has_room(const visitor_crowd& at) const noexcept { return !full(at); }

std::variant<visitor_seat, crowding> visitor_quota::admit(const visitor_crowd_ptr& at,
                                                          const wire::source_key& address, int descriptor) {
  if (descriptor >= limits_.descriptors) return crowding::all;
  if (const auto why = full(*at)) return *why;
  tally_ptr same = at->addresses.of(address);
  const bool crowded =
      limits_.of_an_address != 0 ? *same >= limits_.of_an_address : exceeds(*same, part_of_address, free());
  if (crowded) return crowding::address;
  return visitor_seat(at, std::move(same));
}

visitor_seat visitor_quota::readmit(const visitor_crowd_ptr& at, const wire::source_key& address) {
  return {at, at->addresses.of(address)};
}

} // namespace gotunnel::reverse
