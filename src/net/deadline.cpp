#include "gotunnel/net/deadline.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>

namespace gotunnel::net {

struct deadline::state {
  state(const executor& where, duration limit, std::function<void()> then)
      : timer(where, std::chrono::duration_cast<asio::steady_timer::duration>(limit)),
        action(std::move(then)) {}

  asio::steady_timer timer;
  std::function<void()> action;
  bool expired = false;
};

deadline::deadline(const executor& where, duration limit, std::function<void()> action)
    : state_(std::make_shared<state>(where, limit, std::move(action))) {
  // The handler holds the state, not the deadline: it may already be queued when the deadline is dropped.
  state_->timer.async_wait([held = state_](const error_code& ec) {
    if (ec || !held->action) return;
    held->expired = true;
    // Out of the state first: the action may drop the deadline that it belongs to.
    const auto due = std::exchange(held->action, nullptr);
    due();
  });
}

deadline::~deadline() {
  state_->action = nullptr;
  state_->timer.cancel();
}

bool deadline::expired() const noexcept { return state_->expired; }

asio::awaitable<void> give_way() {
  const auto where = co_await asio::this_coro::executor;
  co_await asio::post(where, asio::deferred);
}

asio::awaitable<void> sleep_for(duration length) {
  const auto where = co_await asio::this_coro::executor;
  asio::steady_timer timer(where, std::chrono::duration_cast<asio::steady_timer::duration>(length));
  [[maybe_unused]] auto [ignored] = co_await timer.async_wait(token);
}

} // namespace gotunnel::net
