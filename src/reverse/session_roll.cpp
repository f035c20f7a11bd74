#include "gotunnel/reverse/session_roll.hpp"

#include "gotunnel/base/counters.hpp"
#include "gotunnel/net/ask.hpp"

#include <algorithm>

namespace gotunnel::reverse {

session_roll::seat::~seat() {
  asio::post(roll_.front_, [&roll = roll_, session = session_] { roll.leave(session); });
}

void session_roll::seat::away(std::weak_ptr<port_holder> who) {
  const auto found = roll_.sessions_.find(session_);
  if (found == roll_.sessions_.end()) return;
  const auto [client, at] = found->second;
  at->waiting = std::move(who);
  row& all = client->second;
  // Behind those that have waited for longer.
  const auto first_present =
      std::find_if(all.begin(), all.end(), [](const entry& each) { return each.waiting.expired(); });
  all.splice(first_present, all, at);
}

void session_roll::seat::back() {
  const auto found = roll_.sessions_.find(session_);
  if (found == roll_.sessions_.end()) return;
  const auto [client, at] = found->second;
  at->waiting.reset();
  client->second.splice(client->second.end(), client->second, at);
}

asio::awaitable<bool> session_roll::ask(const wire::peer_id& client, const wire::peer_id& session,
                                        seat_ptr& to) {
  co_return co_await net::ask(front_, [&] {
    if (!make_room(client)) return false;
    to = adopt(client, session);
    return true;
  });
}

session_roll::seat_ptr session_roll::adopt(const wire::peer_id& client, const wire::peer_id& session) {
  const auto owner = clients_.try_emplace(client).first;
  const auto at = owner->second.insert(owner->second.end(), {session, {}});
  sessions_.emplace(session, place{owner, at});
  return std::make_shared<seat>(*this, session);
}

std::size_t session_roll::sessions_of(const wire::peer_id& client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? 0 : found->second.size();
}

bool session_roll::make_room(const wire::peer_id& client) {
  if (sessions_of(client) < limit_) return true;
  counters::add(counter::sessions_refused);
  const entry oldest = clients_.at(client).front();
  const auto holder = oldest.waiting.lock();
  if (!holder) return false;
  leave(oldest.session);
  asio::post(holder->where(), [holder] { holder->superseded(); });
  return true;
}

void session_roll::leave(const wire::peer_id& session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const auto [client, at] = found->second;
  client->second.erase(at);
  if (client->second.empty()) clients_.erase(client);
  sessions_.erase(found);
}

} // namespace gotunnel::reverse
