#include "gotunnel/reverse/port_book.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/net/ask.hpp"
#include "gotunnel/reverse/bind_refusal.hpp"

#include <boost/asio/post.hpp>

#include <chrono>

namespace gotunnel::reverse {
namespace {

using wire::bound_answer;
using wire::error_answer;
namespace code = wire::control_code;

// Random ports tried before the server gives up on finding a free one that is allowed.
constexpr int choice_attempts = 512;
// Choices of the kernel that are refused before: ports reserved for clients that are away look free to it.
constexpr int kernel_attempts = 64;
// A program that took a port which was not listened on for a while may leave it.
constexpr duration listen_again = 1s;

} // namespace

port_book::port_book(net::executor front, port_policy policy)
    : front_(std::move(front)), policy_(std::move(policy)), quota_(policy_.limits),
      tasks_(front_, "reverse") {}

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
    const auto old = asked->holders.everybody();
    auto no = co_await settle(question, asked);
    if (no) co_return std::move(*no);
    // The port may have been given up, or changed hands, while its holders were asked: then ask whoever has
    // it now.
    const auto still = ports_.find(port);
    if (still == ports_.end() || still->second != asked || asked->holders.everybody() != old) continue;
    co_return give(question, asked);
  }
  if (closed_) co_return shutting_down(question);
  if (count_ports(question) >= ports_of_a_client) co_return too_many_ports(question);

  auto door = listen(port);
  if (!door && port != 0) co_return unavailable(question, door.error());
  if (!door)
    co_return refusal(question, code::port_unavailable,
                      fmt::format("no port is free within -allow-ports {}", policy_.allowed.to_string()));
  const std::uint16_t chosen = door->address().port();
  const auto fresh = std::make_shared<public_port>(chosen, question);
  fresh->crowd = quota_.crowd_of(fresh->client());
  ports_.emplace(chosen, fresh);
  open(fresh, std::move(*door));
  static log::limit often;
  log::info(often, "reverse", "port {} opened for {}", chosen, question.client_address);
  co_return bound_answer{question.service, chosen, fresh->address, question.carrier};
}

/// A held port to the same client once more: to one of its carriers beside the others, or to a session that
/// takes it over from whoever held it.
wire::control_message port_book::give(const bind_question& question, const public_port_ptr& at) {
  public_port& held = *at;
  std::vector<holder_ptr> former;
  if (question.carrier != 0 && held.holders.joinable() && held.identity == question.identity) {
    const auto replaced = held.holders.add({question.holder, question.service, question.carrier});
    if (replaced) former.push_back(replaced);
    static log::limit often;
    log::info(often, "reverse", "port {} joined by {}, carrier {} of the same client; {} hold it",
              question.port, question.client_address, question.carrier, held.holders.size());
  } else {
    former = held.holders.everybody();
    held.hand_to(question);
    static log::limit often;
    log::info(often, "reverse", "port {} taken over by {}, the same client", question.port,
              question.client_address);
  }
  for (const holder_ptr& each : former) asio::post(each->where(), [each] { each->superseded(); });
  if (const error_code why = tend(at)) {
    refuse_line(held);
    ports_.erase(held.number);
    return unavailable(question, why);
  }
  return bound_answer{question.service, question.port, held.address, question.carrier};
}

void port_book::open(const public_port_ptr& held, net::door door) {
  held->door = std::move(door);
  if (paused_) held->door.pause();
  // Of several addresses none is the one to name: then it is said as if it were all.
  held->address = held->door.listeners().size() == 1 ? net::to_string(held->door.address())
                                                     : wire::to_string(wire::host_port{"::", held->number});
  for (const auto& each : held->door.listeners())
    tasks_.spawn("accept visitors", accept_visitors(held, each));
}

/// Has the port listened on when somebody is there for visitors, or not for long when all are away.
error_code port_book::tend(const public_port_ptr& held) {
  if (!held->holders.all_away()) {
    held->hold.reset();
    refuse_line(*held);
    if (held->door) return {};
    auto again = listen(held->number);
    if (!again) return again.error();
    open(held, std::move(*again));
    static log::limit often;
    log::info(often, "reverse", "port {} is listened on again", held->number);
    return {};
  }
  if (!held->door || held->hold) return {};
  held->hold.emplace(front_, policy_.resume_hold, [port = held.get()] {
    static log::limit often;
    log::info(often, "reverse",
              "port {}: its client has been away for a while; visitors are refused until it is back",
              port->number);
    port->shut();
  });
  return {};
}

void port_book::away(const port_holder& holder, time_point until) {
  for (const auto& [port, each] : ports_)
    if (each->holders.set_away(holder, true, until)) (void)tend(each);
}

void port_book::back(const port_holder& holder) {
  for (const auto& [port, each] : ports_) {
    if (!each->holders.set_away(holder, false)) continue;
    const error_code why = tend(each);
    if (!why) continue;
    static log::limit often;
    log::error(often, "reverse", "cannot listen on port {} at present: {}; trying again", port,
               why.message());
    try_again(each);
  }
}

void port_book::try_again(const public_port_ptr& held) {
  held->hold.emplace(front_, listen_again, [this, port = held->number] {
    const auto found = ports_.find(port);
    if (found != ports_.end() && tend(found->second)) try_again(found->second);
  });
}

asio::awaitable<wire::control_message> port_book::bind(bind_question question) {
  // Answered by a task of the book on the front worker.
  auto put = [this, &question](bind_answer answer) {
    tasks_.spawn("bind", bind_and_answer(std::move(question), std::move(answer)));
  };
  co_return co_await net::ask_later<wire::control_message>(front_, std::move(put));
}

asio::awaitable<void> port_book::bind_and_answer(bind_question question, bind_answer answer) {
  auto outcome = co_await bind_here(std::move(question));
  answer(std::move(outcome));
}

/// Whether a newcomer may have a held port: nothing when it may, else the refusal.
asio::awaitable<std::optional<error_answer>> port_book::settle(const bind_question& question,
                                                               public_port_ptr held) {
  const std::uint16_t port = question.port;
  if (held->holders.contains(*question.holder))
    co_return refusal(question, code::duplicate_bind,
                      fmt::format("this session already holds port {}", port));

  const bool same_client =
      held->identity && question.identity && held->identity->first == question.identity->first;
  if (!same_client) co_return port_held(question, *held);
  if (held->identity->second == question.identity->second) co_return std::nullopt;

  const bool alive = co_await anybody_alive(held->holders.everybody());
  if (!alive) co_return std::nullopt;
  co_return refusal(
      question, code::live_copy,
      fmt::format("port {} is held by a live copy of this client at {} since {}: two processes use one "
                  "client id (one state "
                  "directory, or a copied disk); stop one of them, or give this one its own -state-dir",
                  port, held->client_address, held->held_since()));
}

/// All of them are asked at once; the first yes counts, or the last no.
asio::awaitable<bool> port_book::anybody_alive(std::vector<holder_ptr> holders) const {
  struct poll {
    std::size_t silent;
    std::function<void(bool)> answer;
    void hear(bool alive) {
      if (answer && (alive || --silent == 0)) std::exchange(answer, nullptr)(alive);
    }
  };
  auto put = [this, &holders](std::function<void(bool)> answer) {
    const auto votes = std::make_shared<poll>(poll{holders.size(), std::move(answer)});
    for (const holder_ptr& each : holders) {
      // Answered on the holder's worker, counted here.
      auto count = [votes, front = front_](bool alive) {
        asio::post(front, [votes, alive] { votes->hear(alive); });
      };
      asio::post(each->where(), [each, count] { each->ping(liveness_limit, count); });
    }
  };
  co_return co_await net::ask_later<bool>(front_, std::move(put));
}

result<net::door> port_book::listen(std::uint16_t port) const {
  if (port != 0) return net::door::open(front_, policy_.bind, port);
  // The kernel's choice first; it knows what is free. Then the allowed ones at random.
  std::vector<net::door> reserved; // held meanwhile, for it to choose another one
  for (int i = 0; i < kernel_attempts; ++i) {
    auto any = net::door::open(front_, policy_.bind, 0);
    if (!any) return any;
    const std::uint16_t chosen = any->address().port();
    if (!policy_.allowed.contains(chosen)) break;
    if (!ports_.contains(chosen)) return any;
    reserved.push_back(std::move(*any));
  }
  for (int i = 0; i < choice_attempts; ++i) {
    std::array<std::byte, 2> random{};
    crypto::random_bytes(random);
    const std::uint16_t candidate = load_be16(random);
    if (candidate == 0 || !policy_.allowed.contains(candidate) || ports_.contains(candidate)) continue;
    auto opened = net::door::open(front_, policy_.bind, candidate);
    if (opened) return opened;
  }
  return make_error_code(errc::limit_exceeded);
}

void port_book::release(const port_holder& holder, std::uint16_t port) {
  const auto found = ports_.find(port);
  if (found == ports_.end() || !found->second->holders.remove(holder)) return;
  if (found->second->holders.size() > 0) {
    static log::limit often;
    log::info(often, "reverse", "port {} left by one carrier; {} hold it", port,
              found->second->holders.size());
    (void)tend(found->second); // nobody came: nothing is opened
    return;
  }
  if (pass_on(found->second)) return;
  found->second->shut();
  static log::limit often;
  log::info(often, "reverse", "port {} closed", port);
  ports_.erase(found);
}

void port_book::release_all(const port_holder& holder) {
  for (const auto& [port, each] : ports_) leave_line(holder, port);
  for (auto each = ports_.begin(); each != ports_.end();) {
    const auto next = std::next(each);
    release(holder, each->first);
    each = next;
  }
}

std::vector<held_port> port_book::held() const {
  std::vector<held_port> all;
  for (const auto& [port, each] : ports_) all.push_back({port, each->client_address, each->since});
  return all;
}

void port_book::close() {
  closed_ = true;
  for (const auto& [port, each] : ports_) {
    refuse_line(*each);
    each->shut();
  }
  ports_.clear();
}

asio::awaitable<void> port_book::join() { co_await tasks_.join(); }

} // namespace gotunnel::reverse
