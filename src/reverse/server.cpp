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
      sessions_(front_), tasks_(front_, "reverse") {
  for (std::size_t i = 0; i < pool_.size(); ++i) halls_.push_back(std::make_unique<hall>(*this, pool_.at(i)));
}

server::~server() = default;

void server::start(net::tcp_listener door) {
  door_.emplace(std::move(door));
  tasks_.spawn("accept clients", accept_clients());
}

asio::awaitable<void> server::accept_clients() {
  for (;;) {
    const auto lighter = [](const auto& a, const auto& b) { return a->home().load < b->home().load; };
    hall& lightest = **std::min_element(halls_.begin(), halls_.end(), lighter);
    auto next = co_await door_->accept(lightest.home().where());
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

/// Holds a wrong proof's answer back: longer for each failure of the same source.
asio::awaitable<void> server::punish(wire::ip_endpoint source) {
  counters::add(counter::proofs_failed);
  const duration wait = co_await net::ask(front_, [this, &source] {
    const auto now = std::chrono::steady_clock::now();
    const duration due = strangers_.penalty(source, now);
    strangers_.failed(source, now);
    return due;
  });
  if (wait > duration::zero()) co_await net::sleep_for(wait);
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
  if (door_) door_->close();
  book_.close();
  // All halls at once, then wait for each.
  net::task_group halls(front_, "reverse");
  for (const auto& each : halls_) halls.spawn("stop worker", stop_hall(*each, grace));
  co_await halls.join();
  co_await book_.join();
  co_await tasks_.join();
}

} // namespace gotunnel::reverse
