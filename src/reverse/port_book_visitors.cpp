// How visitors of public ports are accepted, or refused.
#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/move_socket.hpp"
#include "gotunnel/reverse/port_book.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace gotunnel::reverse {
namespace {

// A burst may be over soon: for so long a full port lets visitors queue in the kernel before it refuses them.
constexpr duration crowd_patience = 5s;
// Visitors leave on other threads, which do not tell.
constexpr duration look_again = 50ms;

std::string describe(crowding why, const visitor_quota& quota) {
  switch (why) {
  case crowding::all:
    return fmt::format("{} visitors are there; raise -max-visitors, or the limit of open files (`ulimit -n`, "
                       "LimitNOFILE= of the unit)",
                       quota.count());
  case crowding::client:
    return fmt::format("this client's visitors have their part of the {} that may be there; raise "
                       "-max-visitors",
                       quota.limits().all);
  case crowding::port:
    return fmt::format("the port's visitors have their part of the {} that may be there; raise "
                       "-max-visitors",
                       quota.limits().all);
  case crowding::address:
    return "too many visitors of its address are there; raise -max-visitors-per-address if they are welcome";
  }
  return {};
}

} // namespace

asio::awaitable<void> port_book::accept_visitors(public_port_ptr port,
                                                 std::shared_ptr<net::tcp_listener> listener) {
  for (;;) {
    if (quota_.has_room(*port->crowd))
      port->full_since.reset();
    else
      co_await await_room(*port, *listener);
    // Whose turn it is may change before somebody comes: mostly it does not, and the socket need not move.
    const auto* const expected = port->holders.next();
    const auto where = expected != nullptr ? expected->holder->where() : front_;
    auto next = co_await listener->accept(where);
    if (!next) co_return;
    if (policy_.visitors.permits(net::to_wire(next->peer)))
      let_in(port, std::move(*next));
    else
      turn_away(next->peer, port->number);
  }
}

/// Returns when somebody has left, when patience with a crowd that stays is over, or when the listener goes.
asio::awaitable<void> port_book::await_room(public_port& port, const net::tcp_listener& listener) {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  if (!port.full_since) port.full_since = now();
  const auto same = [&listener](const auto& each) { return each.get() == &listener; };
  const auto listens = [&] {
    const auto& all = port.door.listeners();
    return std::any_of(all.begin(), all.end(), same);
  };
  while (listens() && !quota_.has_room(*port.crowd) && now() - *port.full_since < crowd_patience)
    co_await net::sleep_for(look_again);
}

void port_book::let_in(const public_port_ptr& port, net::tcp_listener::accepted next) {
  const auto source = wire::source_of(net::to_wire(next.peer));
  auto seat = quota_.admit(port->crowd, source, next.socket.native_handle());
  if (const auto* const why = std::get_if<crowding>(&seat)) return refuse(next, port->number, *why);
  hand_over(port, std::move(next.socket), std::move(next.peer), std::get<visitor_seat>(std::move(seat)));
}

/// Drops the socket, which closes it, when all holders are over.
void port_book::hand_over(const public_port_ptr& port, asio::ip::tcp::socket socket,
                          asio::ip::tcp::endpoint peer, visitor_seat seat) {
  const auto* const next = port->holders.next();
  if (next == nullptr) return;
  const auto holder = next->holder;
  // It was accepted for another worker's session when the port changed hands meanwhile.
  visitor who(net::move_socket(holder->where(), std::move(socket)), std::move(peer), next->service,
              port->holders.admit(*next), std::move(seat));
  if (!who.socket.is_open()) return;
  auto hand = [this, port, holder, who = std::move(who)]() mutable {
    auto back = holder->welcome(std::move(who));
    if (!back) return;
    // It ends only once, for this holder is not asked again.
    auto hand_on = [this, port, holder, who = std::move(*back)]() mutable {
      port->holders.turn_away(*holder);
      hand_over(port, std::move(who.socket), std::move(who.peer), std::move(who.seat));
    };
    asio::post(front_, std::move(hand_on));
  };
  asio::dispatch(holder->where(), std::move(hand));
}

void port_book::turn_away(const asio::ip::tcp::endpoint& who, std::uint16_t port) {
  counters::add(counter::visitors_not_allowed);
  const auto held_back = reports_.allow(std::chrono::steady_clock::now());
  if (!held_back) return;
  log::warn("reverse", "visitor {} of port {} is not in -allow-visitors{}", net::to_string(who), port,
            also_held_back(*held_back));
}

void port_book::refuse(net::tcp_listener::accepted& who, std::uint16_t port, crowding why) {
  counters::add(counter::visitors_crowded);
  // A reset: nothing of a refused visitor stays here, not even in TIME_WAIT.
  error_code ignored;
  who.socket.set_option(asio::socket_base::linger(true, 0), ignored);
  const auto held_back = crowd_reports_.allow(std::chrono::steady_clock::now());
  if (!held_back) return;
  log::warn("reverse", "visitor {} of port {} is refused: {}{}", net::to_string(who.peer), port,
            describe(why, quota_), also_held_back(*held_back));
}

} // namespace gotunnel::reverse
