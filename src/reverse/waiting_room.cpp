#include "gotunnel/reverse/waiting_room.hpp"

namespace gotunnel::reverse {

waiting_room::place::place(waiting_room& room, net::stream& who, const wire::source_key& source)
    : room_(room), who_(who), source_(source) {
  const auto same = room_.sources_.find(source_);
  if (same != room_.sources_.end() && same->second.size() >= room_.limits_.of_a_source)
    room_.drop(*same->second.front());
  else if (room_.all_.size() >= room_.limits_.all)
    room_.drop(*room_.all_.front());
  std::list<place*>& own = room_.sources_[source_];
  among_all_ = room_.all_.insert(room_.all_.end(), this);
  among_source_ = own.insert(own.end(), this);
}

waiting_room::place::~place() {
  if (!dropped_) room_.leave(*this);
}

asio::awaitable<bool> waiting_room::place::wait(duration length) {
  if (dropped_) co_return false;
  const auto where = co_await asio::this_coro::executor;
  nap_.emplace(where, std::chrono::duration_cast<asio::steady_timer::duration>(length));
  [[maybe_unused]] auto [ignored] = co_await nap_->async_wait(net::token);
  nap_.reset();
  co_return !dropped_;
}

/// The place is free at once, and the task that had it ends in its next turn.
void waiting_room::drop(place& oldest) {
  oldest.dropped_ = true;
  leave(oldest);
  counters::add(counter::strangers_crowded);
  oldest.who_.close(net::ending::abort);
  if (oldest.nap_) oldest.nap_->cancel();
}

void waiting_room::leave(place& who) {
  all_.erase(who.among_all_);
  const auto own = sources_.find(who.source_);
  own->second.erase(who.among_source_);
  if (own->second.empty()) sources_.erase(own);
}

} // namespace gotunnel::reverse
