// How a session at the server waits for its client, and takes it back.
#include "gotunnel/base/log.hpp"
#include "gotunnel/net/ask.hpp"
#include "gotunnel/reverse/server_session.hpp"

namespace gotunnel::reverse {

asio::awaitable<void> server_session::watch_carrier() {
  bool begun_here = !mux_->waiting(); // else another process has had its first carriers
  for (;;) {
    const bool waits = co_await mux_->lost();
    if (!waits) co_return;
    static log::limit losses;
    static log::limit returns;
    if (std::exchange(begun_here, true))
      log::info(losses, "reverse", "client {} lost its connection: {}; its session waits {} s for it",
                client_, mux_->loss().message(),
                std::chrono::duration_cast<std::chrono::seconds>(resume_window_).count());
    co_await tell_away();
    const bool carried = co_await mux_->carried();
    if (!carried) co_return;
    co_await tell_back();
    log::info(returns, "reverse", "client {} is back from {}; {} streams go on", client_, mux_->peer(),
              mux_->stream_count());
  }
}

/// What it holds is free when its window is over, or soon after.
asio::awaitable<void> server_session::tell_away() {
  auto tell = [this, until = std::chrono::steady_clock::now() + resume_window_] {
    book_.away(*this, until);
    if (seat_) seat_->away(weak_from_this());
  };
  co_await net::ask(front_, tell);
}

asio::awaitable<void> server_session::tell_back() {
  co_await net::ask(front_, [this] {
    book_.back(*this);
    if (seat_) seat_->back();
  });
}

void server_session::come_back(const wire::client_hello& hello, answer_function answer) {
  if (tasks_.cancelled()) return answer(std::nullopt);
  tasks_.spawn("resume", make_room(hello, std::move(answer)));
}

/// Ends the use of the former carrier, and says where to go on.
asio::awaitable<void> server_session::make_room(wire::client_hello hello, answer_function answer) {
  // Whoever asks waits for an answer, also when this task is cancelled.
  struct answer_once {
    answer_function say;
    void operator()(std::optional<link::acceptor::resumption> on) {
      if (say) std::exchange(say, nullptr)(std::move(on));
    }
    ~answer_once() { (*this)(std::nullopt); }
  } asker{std::move(answer)};

  const bool may = co_await may_come_back(hello);
  if (!may) co_return;
  link::acceptor::resumption on;
  on.received = mux_->received();
  on.go_on = [self = shared_from_this(), hello](net::stream_ptr carrier) {
    // On the worker that accepted the carrier; the session lives on another, maybe.
    if (!carrier->move_to(self->where_)) return;
    auto attach = [self, hello, carrier = std::move(carrier)]() mutable {
      if (self->generation_ == hello.generation) self->mux_->attach(std::move(carrier), hello.received);
    };
    asio::post(self->where_, std::move(attach));
  };
  asker(std::move(on));
}

asio::awaitable<bool> server_session::may_come_back(const wire::client_hello& hello) {
  const bool same = hello.client == hello_.client && hello.instance == hello_.instance;
  if (!same || hello.generation <= generation_ || mux_->closing()) co_return false;
  if (!mux_->serves(hello.received)) {
    mux_->abort(errc::broken_frame);
    co_return false;
  }
  generation_ = hello.generation;
  const bool fenced = co_await mux_->fence();
  const bool still_last = generation_ == hello.generation;
  co_return fenced&& still_last;
}

} // namespace gotunnel::reverse
