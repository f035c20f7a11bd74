#include "gotunnel/reverse/port_book.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/net/ask.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <chrono>

namespace gotunnel::reverse {
namespace {

using wire::bound_answer;
using wire::error_answer;
namespace code = wire::control_code;

// Random ports tried before the server gives up on finding a free one that is allowed.
constexpr int choice_attempts = 512;

/// Two clocks on purpose: "since" is for people, "for" must survive a clock that jumps.
struct moment {
  wall_time wall = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  time_point steady = std::chrono::steady_clock::now();

  [[nodiscard]] std::string describe() const {
    const auto held =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - steady);
    return fmt::format("{} ({} s ago)", gotunnel::describe(wall), held.count());
  }
};

error_answer refusal(const bind_question& question, std::string_view why, std::string message) {
  return {question.service, std::string(why), std::move(message)};
}

error_answer shutting_down(const bind_question& question) {
  return refusal(question, code::shutting_down, "the server is shutting down; try again later");
}

/// The socket was accepted for another worker's session (the port changed hands meanwhile): move it.
asio::ip::tcp::socket move_to(const net::executor& where, asio::ip::tcp::socket socket) {
  if (socket.get_executor() == where) return socket;
  error_code ec;
  const auto protocol = socket.local_endpoint(ec).protocol();
  const auto handle = socket.release(ec);
  asio::ip::tcp::socket moved(where);
  if (!ec) moved.assign(protocol, handle, ec);
  return moved;
}

} // namespace

struct port_book::entry {
  entry(net::tcp_listener open_listener, const bind_question& question)
      : listener(std::move(open_listener)), holder(question.holder), service(question.service),
        client_address(question.client_address), identity(question.identity) {}

  void hand_over(const bind_question& question) {
    holder = question.holder;
    service = question.service;
    client_address = question.client_address;
    identity = question.identity;
    since = moment();
  }

  net::tcp_listener listener;
  holder_ptr holder;
  std::uint64_t service;
  std::string client_address;
  std::optional<std::pair<wire::peer_id, wire::peer_id>> identity;
  moment since;
};

port_book::port_book(net::executor front, port_policy policy)
    : front_(std::move(front)), policy_(std::move(policy)), tasks_(front_, "reverse") {}

asio::awaitable<wire::control_message> port_book::bind_here(bind_question question) {
  const std::uint16_t port = question.port;
  if (closed_) co_return shutting_down(question);
  if (port != 0 && !policy_.allowed.contains(port))
    co_return refusal(question, code::port_not_allowed,
                      fmt::format("port {} is not allowed on this server (-allow-ports {}); choose one that "
                                  "is, or change the server's "
                                  "-allow-ports",
                                  port, policy_.allowed.to_string()));

  for (auto held = ports_.find(port); held != ports_.end(); held = ports_.find(port)) {
    const auto asked = held->second;
    const auto old = asked->holder;
    auto no = co_await settle(question, asked);
    if (no) co_return std::move(*no);
    // The port may have been given up, or changed hands, while the old session was asked: then ask whoever
    // has it now.
    const auto still = ports_.find(port);
    if (still == ports_.end() || still->second != asked || asked->holder != old) continue;
    asked->hand_over(question);
    asio::post(old->where(), [old] { old->superseded(); });
    log::info("reverse", "port {} taken over by {}, the same client", port, question.client_address);
    co_return bound_answer{question.service, port, net::to_string(asked->listener.address())};
  }
  if (closed_) co_return shutting_down(question);

  auto listener = listen(port);
  if (!listener)
    co_return refusal(
        question, code::port_unavailable,
        port == 0
            ? fmt::format("no port is free within -allow-ports {}", policy_.allowed.to_string())
            : fmt::format(
                  "the server cannot listen on port {}: {}; choose another -remote-port, or stop what uses "
                  "this one on the server",
                  port, listener.error().message()));
  const std::string address = net::to_string(listener->address());
  const std::uint16_t chosen = listener->address().port();
  const auto fresh = std::make_shared<entry>(std::move(*listener), question);
  ports_[chosen] = fresh;
  tasks_.spawn("accept visitors", accept_visitors(fresh));
  log::info("reverse", "port {} opened for {}", chosen, question.client_address);
  co_return bound_answer{question.service, chosen, address};
}

asio::awaitable<wire::control_message> port_book::bind(bind_question question) {
  // Answered by a task of the book on the front worker.
  auto put = [this, &question](answer_function answer) {
    tasks_.spawn("bind", bind_and_answer(std::move(question), std::move(answer)));
  };
  co_return co_await net::ask_later<wire::control_message>(front_, std::move(put));
}

asio::awaitable<void> port_book::bind_and_answer(bind_question question, answer_function answer) {
  auto outcome = co_await bind_here(std::move(question));
  answer(std::move(outcome));
}

/// Whether a newcomer may have a held port: nothing when it may, else the refusal.
asio::awaitable<std::optional<error_answer>> port_book::settle(const bind_question& question,
                                                               std::shared_ptr<entry> held) {
  const std::uint16_t port = question.port;
  if (held->holder == question.holder)
    co_return refusal(question, code::duplicate_bind,
                      fmt::format("this session already holds port {}", port));

  const bool same_client =
      held->identity && question.identity && held->identity->first == question.identity->first;
  if (!same_client)
    co_return refusal(
        question, code::port_held,
        fmt::format(
            "port {} is held by the client at {} since {}; stop that client or choose another -remote-port",
            port, held->client_address, held->since.describe()));
  if (held->identity->second == question.identity->second) co_return std::nullopt;

  const auto asked = held->holder;
  auto ping = [asked](std::function<void(bool)> answer) { asked->ping(liveness_limit, std::move(answer)); };
  const bool alive = co_await net::ask_later<bool>(asked->where(), std::move(ping));
  if (!alive) co_return std::nullopt;
  co_return refusal(
      question, code::live_copy,
      fmt::format("port {} is held by a live copy of this client at {} since {}: two processes use one "
                  "client id (one state "
                  "directory, or a copied disk); stop one of them, or give this one its own -state-dir",
                  port, held->client_address, held->since.describe()));
}

result<net::tcp_listener> port_book::listen(std::uint16_t port) const {
  if (port != 0) return net::tcp_listener::open(front_, {policy_.bind_host, port});
  // The kernel's choice first; it knows what is free. Then the allowed ones at random.
  auto any = net::tcp_listener::open(front_, {policy_.bind_host, 0});
  if (!any || policy_.allowed.contains(any->address().port())) return any;
  for (int i = 0; i < choice_attempts; ++i) {
    std::array<std::byte, 2> random{};
    crypto::random_bytes(random);
    const std::uint16_t candidate = load_be16(random);
    if (candidate == 0 || !policy_.allowed.contains(candidate) || ports_.contains(candidate)) continue;
    auto opened = net::tcp_listener::open(front_, {policy_.bind_host, candidate});
    if (opened) return opened;
  }
  return make_error_code(errc::limit_exceeded);
}

asio::awaitable<void> port_book::accept_visitors(std::shared_ptr<entry> port) {
  for (;;) {
    auto next = co_await port->listener.accept(port->holder->where());
    if (!next) co_return;
    const auto holder = port->holder;
    visitor who(move_to(holder->where(), std::move(next->socket)), next->peer, port->service);
    if (!who.socket.is_open()) continue;
    auto hand = [holder, who = std::move(who)]() mutable { holder->welcome(std::move(who)); };
    asio::dispatch(holder->where(), std::move(hand));
  }
}

void port_book::release(const port_holder& holder, std::uint16_t port) {
  const auto found = ports_.find(port);
  if (found == ports_.end() || found->second->holder.get() != &holder) return;
  found->second->listener.close();
  log::info("reverse", "port {} closed", port);
  ports_.erase(found);
}

void port_book::release_all(const port_holder& holder) {
  for (auto each = ports_.begin(); each != ports_.end();) {
    const auto next = std::next(each);
    release(holder, each->first);
    each = next;
  }
}

void port_book::close() {
  closed_ = true;
  for (const auto& [port, each] : ports_) each->listener.close();
  ports_.clear();
}

asio::awaitable<void> port_book::join() { co_await tasks_.join(); }

} // namespace gotunnel::reverse
