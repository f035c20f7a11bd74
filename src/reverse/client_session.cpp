#include "gotunnel/reverse/client_session.hpp"

#include "gotunnel/base/block_pool.hpp"
#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/link/greeting_io.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/pump.hpp"
#include "gotunnel/net/resolver.hpp"
#include "gotunnel/net/tcp.hpp"
#include "gotunnel/reverse/mux_config.hpp"
#include "gotunnel/wire/proxy_header.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

#include <algorithm>

namespace gotunnel::reverse {
namespace {

// The one service that this client publishes.
constexpr std::uint64_t service = 1;
constexpr duration answer_limit = 10s;
// Messages of the server that are looked at before other tasks have their turn.
constexpr int messages_in_a_turn = 64;
// For a port whose holder is away: no server keeps a session without a carrier for longer.
constexpr duration longest_line = 1h;
constexpr duration header_limit = 10s;
constexpr duration local_dial_limit = 10s;
// How long the local service may take to read what had arrived for it whole when the session ended.
constexpr duration drain_limit = 10s;
// How long a stopped client without a carrier tries to say so.
constexpr duration last_call_limit = 1s;
// A visitor that the server had sent here before another session took the port may still be on its way.
constexpr duration late_visitors = 2s;

/// Each machine has loopback addresses of its own: a pair of them names one connection on one machine only.
bool is_loopback(const wire::ip_endpoint& of) {
  if (!of.v6) return of.ip[0] == std::byte{127};
  const auto last = of.ip.begin() + 15;
  return std::all_of(of.ip.begin(), last, [](std::byte each) { return each == std::byte{0}; }) &&
         *last == std::byte{1};
}

} // namespace

client_session::client_session(net::executor where, link::reached server, wire::bind_request wanted,
                               local_target target, local_visits& visits, ready_handler ready,
                               duration keepalive)
    : where_(std::move(where)), native_(server.native), same_machine_(server.same_machine), wanted_(wanted),
      id_(server.session), resume_window_(server.resume_window), keepalive_(keepalive),
      target_(std::move(target)), visits_(visits), ready_(std::move(ready)), tasks_(where_, "reverse"),
      visitors_(where_), changed_(where_) {
  wanted_.id = service;
  wanted_.keepalive = wire::keepalive_ms(keepalive_);
  const auto config = mux_config(wire::smux_role::client, server);
  mux_ = std::make_shared<mux::session>(where_, std::move(server.carrier), config, resume_window_);
}

asio::awaitable<session_outcome> client_session::run() {
  tasks_.spawn("control stream", control());
  tasks_.spawn("visitors", accept_visitors());
  std::exception_ptr cancelled;
  try {
    outcome_.why = co_await mux_->run();
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  tasks_.cancel();
  co_await tasks_.join();
  over_ = true;
  changed_.notify();
  if (cancelled) {
    co_await visitors_.send_away();
    std::rethrow_exception(cancelled);
  }
  co_return outcome_;
}

asio::awaitable<void> client_session::drain() {
  visitors_.leave_by(std::chrono::steady_clock::now() + drain_limit);
  co_await visitors_.drain();
}

asio::awaitable<void> client_session::control() {
  auto stream = mux_->open();
  if (!stream) co_return;
  (*stream)->prioritize();
  expect_answer_within(answer_limit);
  control_ = std::move(*stream);
  // Not one expression: g++ 12 evaluates both arms of a choice that awaits.
  result<> ended;
  if (native_)
    ended = co_await bind_native(*control_);
  else
    ended = co_await bind_seed(*control_);
  if (!ended) mux_->close(ended.error());
}

void client_session::expect_answer_within(duration limit) {
  answer_due_.emplace(where_, limit, [this] {
    if (!outcome_.was_ready && !outcome_.refusal) mux_->abort(errc::timed_out);
  });
}

/// Runs for as long as the control stream does.
net::task<> client_session::bind_native(mux::mux_stream& stream) {
  const std::string request = wire::encode(wanted_);
  const auto asked = co_await say(request);
  if (!asked) co_return asked.error();
  wire::control_reader reader;
  for (;;) {
    const auto bytes = co_await stream.read();
    if (!bytes) co_return bytes.error();
    if (bytes->empty()) co_return errc::end_of_stream;
    const auto fed = reader.feed(*bytes);
    stream.consume(bytes->size());
    if (!fed) co_return fed.error();
    for (int handled = 1;; ++handled) {
      if (handled % messages_in_a_turn == 0) co_await net::give_way();
      const auto message = reader.next();
      if (!message) co_return message.error();
      if (!*message) break;
      const auto reply = handle(**message);
      if (outcome_.refusal) co_return errc::refused;
      if (!reply) continue;
      const std::string line = wire::encode(*reply);
      const auto said = co_await say(line);
      if (!said) co_return said.error();
    }
  }
}

/// The farewell must not fall into the midst of an answer to a ping: a stream takes one write at a time.
net::task<> client_session::say(const std::string& line) {
  while (saying_) co_await changed_.wait();
  saying_ = true;
  const auto said = co_await control_->write(as_bytes(line));
  saying_ = false;
  changed_.notify();
  co_return said;
}

std::optional<wire::control_message> client_session::handle(const wire::control_message& message) {
  if (const auto* ping = std::get_if<wire::ping_message>(&message)) return wire::pong_message{ping->id};
  if (const auto* bound = std::get_if<wire::bound_answer>(&message)) {
    if (bound->id == service) opened(*bound);
  } else if (const auto* error = std::get_if<wire::error_answer>(&message)) {
    if (!outcome_.was_ready) outcome_.refusal = *error;
  } else if (const auto* waiting = std::get_if<wire::waiting_notice>(&message)) {
    // A carrier that breaks meanwhile has its own window.
    const auto limit = std::min<duration>(std::chrono::milliseconds(waiting->for_ms), longest_line);
    expect_answer_within(limit + resume_window_ + answer_limit);
    static log::limit often;
    log::info(
        often, "reverse",
        "port {} is held by another client, which is away; waiting in line for it, {} s unless that client "
        "is back before",
        wanted_.port, std::chrono::duration_cast<std::chrono::seconds>(limit).count());
  } else if (const auto* bye = std::get_if<wire::bye_message>(&message)) {
    static log::limit often;
    log::info(often, "reverse", "the server says goodbye: {}", bye->reason);
    mux_->peer_leaves();
  } else if (std::holds_alternative<wire::renew_message>(message)) {
    renew_ = outcome_.was_ready;
    changed_.notify();
  }
  return std::nullopt;
}

net::task<> client_session::bind_seed(mux::mux_stream& stream) {
  const std::string request = wire::encode_seed_request(wanted_.port);
  const auto asked = co_await stream.write(as_bytes(request));
  if (!asked) co_return asked.error();
  const auto line = co_await link::read_line(stream, wire::seed_control_limit);
  if (!line) co_return line.error();
  const auto answer = wire::read_seed_answer(as_bytes(*line));
  if (!answer) co_return answer.error();
  if (!answer->success) {
    outcome_.refusal =
        wire::error_answer{service, std::string(wire::control_code::port_unavailable), answer->message};
    co_return errc::refused;
  }
  opened(wire::bound_answer{service, wanted_.port, answer->message});
  co_return co_await stream.shut();
}

void client_session::opened(const wire::bound_answer& answer) {
  if (outcome_.was_ready) return;
  outcome_.was_ready = true;
  // An older server says nothing of it, and is spoken to as often as ever.
  if (answer.keepalive != 0) mux_->set_keepalive(wire::agreed_keepalive(keepalive_, answer.keepalive));
  ready_(answer);
}

asio::awaitable<void> client_session::accept_visitors() {
  for (;;) {
    auto next = co_await mux_->accept();
    if (!next) co_return;
    if (stopping_)
      (*next)->reset(wire::smux_reset_reason::aborted);
    else
      visitors_.admit(serve_visitor(std::move(*next)));
  }
}

asio::awaitable<void> client_session::serve_visitor(mux::mux_stream_ptr inside) {
  local_visits::visit here(visits_);
  if (!here.admitted()) {
    counters::add(counter::visitors_crowded);
    co_return turn_away(*inside, crowd_reports_,
                        fmt::format("{} visitors are there, as many as the limit of open files leaves room "
                                    "for; raise it (`ulimit -n`, LimitNOFILE= of the unit)",
                                    visits_.size()));
  }
  wire::proxy_header header;
  if (native_) {
    const auto read = co_await read_header(*inside);
    if (!read) co_return;
    header = *read;
  }
  if (leads_back(here, header)) co_return turn_away_loop(*inside);
  auto socket = co_await dial_target(!inside->waiting().empty());
  if (!socket) {
    const auto name_trouble = net::lookup_trouble(socket.error());
    co_return turn_away(*inside, dial_reports_,
                        fmt::format("cannot reach the local service {}: {}; check -local-target",
                                    wire::to_string(target_),
                                    name_trouble.empty() ? socket.error().message() : name_trouble));
  }
  if (leads_back(here, header, *socket)) co_return turn_away_loop(*inside);
  net::socket_stream local(std::move(*socket), net::socket_stream::purpose::visitor,
                           wire::to_string(target_));
  const auto totals = co_await net::splice(*inside, local);
  log::debug("reverse", "visitor served: {} bytes in, {} out{}{}", totals.a_to_b, totals.b_to_a,
             totals.failure ? ", " : "", totals.failure ? totals.failure.message() : "");
}

void client_session::turn_away(mux::mux_stream& inside, rate_limit& reports, const std::string& why) {
  const auto held_back = reports.allow(std::chrono::steady_clock::now());
  if (held_back)
    log::warn("reverse", "{}{}", why,
              *held_back > 0 ? fmt::format(" ({} more visitors turned away)", *held_back) : "");
  inside.reset(wire::smux_reset_reason::unreachable);
}

void client_session::turn_away_loop(mux::mux_stream& inside) {
  turn_away(inside, loop_reports_,
            fmt::format("the local service {} is this client's own public port: what goes there comes back "
                        "as a visitor; give -local-target the address of the service itself",
                        wire::to_string(target_)));
}

/// The port of the target, when the visitor dialled the same one: only then can the two be the same service.
bool client_session::may_lead_back(const wire::proxy_header& header) const {
  const auto* const target = std::get_if<wire::host_port>(&target_);
  if (target == nullptr || !header.peer || header.peer->destination.port != target->port) return false;
  return same_machine_ || !is_loopback(header.peer->destination);
}

bool client_session::leads_back(local_visits::visit& here, const wire::proxy_header& header) const {
  return may_lead_back(header) && here.came_by(*header.peer);
}

bool client_session::leads_back(local_visits::visit& here, const wire::proxy_header& header,
                                const net::any_socket& local) const {
  if (!may_lead_back(header)) return false;
  const auto ends = net::ends_of(local);
  return ends && here.dialled({ends->first, ends->second});
}

/// The visitor's address, ahead of its bytes. The stream must not reach the service with it.
net::task<wire::proxy_header> client_session::read_header(mux::mux_stream& inside) {
  // It comes with the stream's opening, and so is there already.
  const auto there = wire::read_proxy_header(inside.waiting());
  if (!there) co_return there.error();
  if (*there) {
    inside.consume((*there)->size);
    co_return (*there)->header;
  }
  constexpr std::size_t fixed = 16; // proxy-protocol.txt 2.2: signature, command, family, length
  // It may come in two parts, with the loss of a carrier in between.
  net::deadline late(where_, header_limit + resume_window_,
                     [&] { inside.reset(wire::smux_reset_reason::aborted); });
  const block memory(block_size::small); // a frame of this size would be allocated for each visitor
  const bytes_span bytes = memory.span().first(wire::proxy_header_limit);
  const auto head = co_await link::read_exactly(inside, bytes.first(fixed));
  if (!head) co_return head.error();
  const std::size_t rest = load_be16(bytes.subspan(fixed - 2, 2));
  if (fixed + rest > bytes.size()) co_return errc::limit_exceeded;
  const auto tail = co_await link::read_exactly(inside, bytes.subspan(fixed, rest));
  if (!tail) co_return tail.error();
  const auto header = wire::read_proxy_header(bytes.first(fixed + rest));
  if (!header) co_return header.error();
  if (!*header) co_return errc::broken_frame;
  co_return (*header)->header;
}

net::task<net::any_socket> client_session::dial_target(bool speaks) {
  if (const auto* path = std::get_if<wire::unix_path>(&target_))
    co_return co_await net::dial(*path, local_dial_limit);
  co_return co_await net::dial(std::get<wire::host_port>(target_), local_dial_limit, speaks);
}

void client_session::stop(duration grace) {
  if (stopping_) return;
  stopping_ = true;
  // The server would keep port and visitors for the rest of the window.
  auto give_up = [this] {
    if (mux_->waiting()) mux_->abort(errc::closed);
  };
  if (mux_->waiting()) last_call_.emplace(where_, std::min(grace, last_call_limit), give_up);
  visitors_.leave_by(std::chrono::steady_clock::now() + grace);
  tasks_.spawn("wind down", wind_down());
}

asio::awaitable<bool> client_session::renewal() {
  while (!renew_ && !over_) co_await changed_.wait();
  co_return !over_;
}

void client_session::retire() {
  if (stopping_ || over_ || std::exchange(retired_, true)) return;
  tasks_.spawn("last visitors", close_without_visitors());
}

asio::awaitable<void> client_session::close_without_visitors() {
  co_await net::sleep_for(late_visitors);
  co_await visitors_.left();
  mux_->close(errc::closed);
}

link::resume_request client_session::next_request() noexcept {
  return {id_, ++generation_, mux_->received()};
}

bool client_session::go_on(link::reached& server) {
  if (server.resumed) return mux_->attach(std::move(server.carrier), server.received);
  mux_->abort(mux_->loss());
  return false;
}

asio::awaitable<void> client_session::wind_down() {
  // Not only the wait for visitors ends then: a server that reads nothing must not hold the farewell up.
  net::deadline late(where_, visitors_.limit() - std::chrono::steady_clock::now(),
                     [this] { mux_->close(errc::closed); });
  if (native_ && control_ && outcome_.was_ready) {
    const std::string farewell = wire::encode(wire::unbind_request{service}) +
                                 wire::encode(wire::bye_message{"the client is stopping"});
    [[maybe_unused]] const auto said = co_await say(farewell);
  }
  co_await visitors_.left();
  mux_->close(errc::closed);
}

} // namespace gotunnel::reverse
