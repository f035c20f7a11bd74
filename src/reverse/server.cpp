#include "gotunnel/reverse/server.hpp"

#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/base/rate_limit.hpp"
#include "gotunnel/net/ask.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/reverse/server_hall.hpp"

#include <boost/asio/dispatch.hpp>

#include <algorithm>

namespace gotunnel::reverse {

server::server(net::worker_pool& pool, server_options options)
    : pool_(pool), options_(std::move(options)), front_(pool.front().where()), book_(front_, options_.ports),
      sessions_(front_), roll_(front_), tasks_(front_, "reverse") {
  for (std::size_t i = 0; i < pool_.size(); ++i) halls_.push_back(std::make_unique<hall>(*this, pool_.at(i)));
}

server::~server() = default;

void server::start(net::door door) {
  door_ = std::move(door);
  for (const auto& each : door_.listeners()) tasks_.spawn("accept clients", accept_clients(each));
}

asio::awaitable<void> server::accept_clients(net::door::listener_ptr from) {
  for (;;) {
    const auto lighter = [](const auto& a, const auto& b) { return a->home().load < b->home().load; };
    hall& lightest = **std::min_element(halls_.begin(), halls_.end(), lighter);
    auto next = co_await from->accept(lightest.home().where());
    if (!next) co_return;
    if (!options_.clients.permits(net::to_wire(next->peer))) {
      turn_away(next->peer);
      continue;
    }
    auto hand = [&lightest, socket = std::move(next->socket), peer = next->peer]() mutable {
      lightest.receive(std::move(socket), std::move(peer));
    };
    asio::dispatch(lightest.home().where(), std::move(hand));
  }
}

void server::turn_away(const asio::ip::tcp::endpoint& who) {
  counters::add(counter::clients_not_allowed);
  const auto held_back = reports_.allow(std::chrono::steady_clock::now());
  if (!held_back) return;
  log::warn("reverse", "{} is not in -allow-clients{}", net::to_string(who), also_held_back(*held_back));
}

/// Looks at a stranger's proof when its turn has come, on the front worker: what it was is in the book before
/// the next one asks.
net::task<bool> server::judge(stranger who, const link::acceptor::look_function& look) {
  std::optional<wire::stranger_book::turn> turn;
  std::optional<bool> right;
  const auto judge_now = [&] {
    const auto now = std::chrono::steady_clock::now();
    right = look();
    if (*right)
      strangers_.succeeded(*turn, now);
    else
      strangers_.failed(*turn, now);
  };
  co_await net::ask(front_, [&] {
    turn = strangers_.ask(who.source, who.claimed, std::chrono::steady_clock::now());
    if (turn && turn->wait == duration::zero()) judge_now();
  });
  if (!turn) {
    counters::add(counter::proofs_not_heard);
    co_return errc::not_heard;
  }
  if (!right) {
    counters::add(counter::proofs_delayed);
    const bool dropped = !co_await who.place.wait(turn->wait);
    const bool gone = dropped || who.stream.peer_left();
    co_await net::ask(front_, [&] {
      if (gone)
        strangers_.left(*turn, std::chrono::steady_clock::now());
      else
        judge_now();
    });
    if (gone) co_return errc::closed;
  }
  if (!*right) counters::add(counter::proofs_failed);
  co_return *right;
}

void server::renew(const crypto::tls_context& context) {
  for (const auto& each : halls_)
    asio::dispatch(each->home().where(), [&hall = *each, context] { hall.renew(context); });
}

void server::renew(const link::shared_keys& keys) {
  options_.keys = keys; // nobody keeps the former ones longer than its handshake
  for (const auto& each : halls_)
    asio::dispatch(each->home().where(), [&hall = *each, keys] { hall.renew(keys); });
}

asio::awaitable<void> server::stop_hall(hall& which, duration grace) {
  auto stop = [&which, grace](std::function<void(bool)> done) { which.stop(grace, std::move(done)); };
  [[maybe_unused]] const bool done = co_await net::ask_later<bool>(which.home().where(), std::move(stop));
}

asio::awaitable<void> server::stop(duration grace) {
  stopping_ = true;
  door_.close();
  book_.close();
  // All halls at once, then wait for each.
  net::task_group halls(front_, "reverse");
  for (const auto& each : halls_) halls.spawn("stop worker", stop_hall(*each, grace));
  co_await halls.join();
  co_await book_.join();
  co_await tasks_.join();
}

} // namespace gotunnel::reverse
