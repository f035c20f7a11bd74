// What one worker of a server runs: strangers being admitted, and sessions.
//
// Belongs to reverse/server, which makes one a worker. All calls on the hall's worker.
#pragma once

#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/base/rate_limit.hpp"
#include "gotunnel/net/ask.hpp"
#include "gotunnel/net/socket_stream.hpp"
#include "gotunnel/reverse/server.hpp"
#include "gotunnel/reverse/server_session.hpp"
#include "gotunnel/reverse/waiting_room.hpp"

#include <functional>
#include <set>

namespace gotunnel::reverse {

/// Whose proof is to be looked at.
struct server::stranger {
  wire::ip_endpoint source;
  std::optional<wire::peer_id> claimed;
  net::socket_stream& stream;
  waiting_room::place& place;
};

class server::hall {
public:
  hall(server& owner, net::worker& home)
      : owner_(owner), home_(home), context_(owner.options_.tls), keys_(owner.options_.keys),
        tasks_(home.where(), "reverse"), admissions_(home.where(), "reverse"),
        farewell_(home.where(), "reverse"), strangers_(owner.options_.strangers) {}

  [[nodiscard]] net::worker& home() { return home_; }

  void receive(asio::ip::tcp::socket socket, asio::ip::tcp::endpoint peer) {
    admissions_.spawn("admission", serve_stranger(std::move(socket), std::move(peer)));
  }

  void renew(const crypto::tls_context& context) { context_ = context; }
  void renew(link::shared_keys keys) { keys_ = std::move(keys); }

  // --- another process (server_handover.cpp)
  [[nodiscard]] std::size_t strangers() const noexcept { return admissions_.size(); }
  /// For whoever looks while all workers stand still.
  [[nodiscard]] const std::set<server_session*>& sessions() const noexcept { return sessions_; }
  /// Nobody is admitted any more, and nobody who is being admitted is told anything.
  void cut_strangers() {
    stopping_ = true;
    admissions_.cancel();
  }
  /// A session of a former process.
  void adopt(std::shared_ptr<server_session> session) { begin(std::move(session)); }

  /// Calls `done` when nothing is left.
  void stop(duration grace, std::function<void(bool)> done) {
    cut_strangers();
    for (server_session* each : sessions_) each->stop(grace);
    farewell_.spawn("wind down", join_and_tell(std::move(done)));
  }

private:
  asio::awaitable<void> join_and_tell(std::function<void(bool)> done) {
    co_await admissions_.join();
    co_await tasks_.join();
    done(true);
  }

  asio::awaitable<void> serve_stranger(asio::ip::tcp::socket socket, asio::ip::tcp::endpoint peer) {
    const counted_load load(home_);
    session_roll::seat_ptr seat;
    auto admitted = co_await admit(std::move(socket), peer, seat);
    if (!admitted || stopping_) co_return;
    if (admitted->go_on) co_return admitted->go_on(std::move(admitted->carrier));
    const auto session = std::make_shared<server_session>(home_.where(), owner_.front_, owner_.book_,
                                                          std::move(*admitted), std::move(seat));
    begin(session);
  }

  /// From here on stop() reaches it, even before its task has begun.
  void begin(std::shared_ptr<server_session> session) {
    sessions_.insert(session.get());
    tasks_.spawn("client", serve_client(std::move(session)));
  }

  asio::awaitable<void> serve_client(std::shared_ptr<server_session> session) {
    const counted_load load(home_);
    session->wish_keepalive(owner_.options_.keepalive);
    const wire::peer_id id = session->id();
    const bool resumable = session->resumes();
    if (resumable) co_await net::ask(owner_.front_, [&] { owner_.sessions_.add(id, session); });
    co_await session->run();
    if (resumable) co_await net::ask(owner_.front_, [&] { owner_.sessions_.remove(id); });
    sessions_.erase(session.get());
  }

  net::task<link::admitted> admit(asio::ip::tcp::socket socket, const asio::ip::tcp::endpoint& peer,
                                  session_roll::seat_ptr& seat) {
    auto stream = std::make_unique<net::socket_stream>(
        net::any_socket(std::move(socket)), net::socket_stream::purpose::carrier, net::to_string(peer));
    net::socket_stream& socket_of = *stream; // as long as its carrier
    socket_of.read_little(true);
    const auto source = net::to_wire(peer);
    waiting_room::place place(strangers_, socket_of, wire::source_of(source));
    link::acceptor::judge_function judge = [this, source, &socket_of, &place](const auto& claimed,
                                                                              const auto& look) {
      return owner_.judge({source, claimed, socket_of, place}, look);
    };
    link::acceptor::resume_desk desk = [this](const wire::client_hello& hello) {
      return owner_.sessions_.ask(hello);
    };
    link::acceptor gate(keys_, std::move(judge));
    gate.offer_resume(owner_.options_.resume_window, std::move(desk));
    link::acceptor::seat_function sit = [this, &seat](const auto& client, const auto& session) {
      return owner_.roll_.ask(client, session, seat);
    };
    gate.limit_sessions(std::move(sit));
    auto admitted = co_await gate.admit(std::move(stream), context_);
    if (admitted)
      socket_of.read_little(false);
    else
      report(peer, admitted.error(), gate.failure());
    co_return admitted;
  }

  /// Strangers fail all day long; the log says so without being flooded.
  void report(const asio::ip::tcp::endpoint& peer, const error_code& why, const std::string& detail) {
    if (stopping_) return;
    if (why != errc::wrong_secret && why != errc::not_heard && why != errc::too_many_sessions)
      counters::add(counter::handshakes_failed);
    const auto held_back = reports_.allow(std::chrono::steady_clock::now());
    if (!held_back) return;
    log::warn("reverse", "refused {}: {}{}{}{}", net::to_string(peer), why.message(),
              detail.empty() ? "" : ": ", detail, also_held_back(*held_back));
  }

  struct counted_load {
    explicit counted_load(net::worker& home) : home_(home) { ++home_.load; }
    counted_load(const counted_load&) = delete;
    counted_load& operator=(const counted_load&) = delete;
    ~counted_load() { --home_.load; }
    net::worker& home_;
  };

  server& owner_;
  net::worker& home_;
  crypto::tls_context context_;
  link::shared_keys keys_;
  net::task_group tasks_;      ///< sessions
  net::task_group admissions_; ///< strangers
  net::task_group farewell_;
  waiting_room strangers_;
  std::set<server_session*> sessions_;
  rate_limit reports_{1s};
  bool stopping_ = false;
};

} // namespace gotunnel::reverse
