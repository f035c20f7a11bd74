#include "gotunnel/reverse/server_session.hpp"

#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/base/printable.hpp"
#include "gotunnel/net/ask.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/reverse/mux_config.hpp"
#include "gotunnel/wire/seed_greeting.hpp"

namespace gotunnel::reverse {
namespace {

namespace code = wire::control_code;

// A client that proved the secret opens its control stream at once.
constexpr duration control_limit = 10s;
constexpr std::size_t unsaid_limit = 64;
// Messages that are no JSON before the session is ended: a peer that keeps sending them is broken.
constexpr int garbage_limit = 8;
// Messages of a client that are answered before others have their turn.
constexpr int messages_in_a_turn = 64;
// How long visitors may take to read what had arrived for them whole when the session ended.
constexpr duration drain_limit = 10s;

wire::smux_config config_for(const link::admitted& peer, wire::stream_id last_id) {
  auto config = mux_config(wire::smux_role::server, peer);
  config.last_id = last_id;
  // Clients open one control stream; streams for visitors are ours to open.
  config.max_peer_streams = 16;
  config.opens_per_second = 16;
  config.opens_burst = 64;
  config.strict_opens = true;
  return config;
}

} // namespace

server_session::server_session(net::executor where, net::executor front, port_book& book, link::admitted peer,
                               session_roll::seat_ptr seat, wire::stream_id last_id)
    : where_(std::move(where)), front_(std::move(front)), book_(book), seat_(std::move(seat)),
      client_(peer.carrier ? peer.carrier->peer() : ""), native_(peer.native), hello_(peer.hello),
      capabilities_(peer.capabilities), id_(peer.session), resume_window_(peer.resume_window),
      tasks_(where_, "reverse"), visitors_(where_), changed_(where_),
      few_ids_(last_id / 2 / 8) { // of one opener ids are two apart
  const auto config = config_for(peer, last_id);
  mux_ = std::make_shared<mux::session>(where_, std::move(peer.carrier), config, resume_window_);
}

asio::awaitable<void> server_session::run() {
  const auto self = shared_from_this();
  const counters::held counted(counter::sessions);
  counters::add(counter::sessions_total);
  static log::limit comings;
  static log::limit goings;
  if (!control_)
    log::info(comings, "reverse", "client {} connected{}", client_,
              !native_                             ? " (original protocol, does not resume)"
              : resume_window_ == duration::zero() ? " (does not resume)"
                                                   : "");
  for (auto& [who, inside] : std::exchange(readmitted_, {}))
    visitors_.admit(serve_visitor(std::move(who), std::move(inside.stream), std::move(inside.unsent),
                                  beginning::elsewhere));
  tasks_.spawn("control stream", serve());
  if (resume_window_ > duration::zero()) tasks_.spawn("carriers", watch_carrier());
  const error_code why = co_await mux_->run();
  // The ports first: visitors must not queue for a client that is gone.
  co_await net::ask(front_, [this] { book_.release_all(*this); });
  log::info(goings, "reverse", "client {} disconnected: {}", client_, why.message());
  tasks_.cancel();
  co_await tasks_.join();
  control_.reset(); // here: the last to hold this session may be on another worker
  // A bind that waited for the port's former holder may have got the port meanwhile, for nobody.
  co_await net::ask(front_, [this] { book_.release_all(*this); });
  while (!pings_.empty()) pong(pings_.begin()->first, false);
  // Streams that ended well have their last bytes here; the others have failed, and their visitors left with
  // them.
  visitors_.leave_by(std::chrono::steady_clock::now() + drain_limit);
  co_await visitors_.drain();
}

asio::awaitable<void> server_session::serve() {
  if (!control_) {
    auto late =
        std::make_optional<net::deadline>(where_, control_limit, [this] { mux_->abort(errc::timed_out); });
    auto first = co_await mux_->accept();
    if (!first) co_return;
    late.reset();
    // Of the session, not of this task: another task may still be writing on it when this one ends.
    control_ = std::move(*first);
  }
  control_->prioritize();
  tasks_.spawn("further streams", refuse_streams());
  if (native_)
    co_await serve_native(*control_);
  else
    co_await serve_seed(*control_);
}

/// Only the control stream is the client's to open.
asio::awaitable<void> server_session::refuse_streams() {
  for (;;) {
    auto surplus = co_await mux_->accept();
    if (!surplus) co_return;
    (*surplus)->reset(wire::smux_reset_reason::too_many_streams);
  }
}

asio::awaitable<void> server_session::serve_native(mux::mux_stream& control) {
  saying_ = true;
  tasks_.spawn("control answers", say_queued(control));
  int garbage = 0;
  for (;;) {
    const auto bytes = co_await control.read();
    if (!bytes || bytes->empty()) break;
    const auto fed = reader_.feed(*bytes);
    control.consume(bytes->size());
    if (!fed) {
      report(fmt::format("sent a control line longer than {} bytes", wire::control_line_limit));
      co_return mux_->close(fed.error());
    }
    for (int handled = 1;; ++handled) {
      const auto message = reader_.next();
      if (message && !*message) break;
      if (!message) {
        report("sent a control message that is no JSON object");
        if (++garbage > garbage_limit) co_return mux_->close(message.error());
        say(wire::error_answer{std::nullopt, std::string(code::bad_message),
                               "a control message is one JSON object a line"});
        continue;
      }
      replying_ = true;
      auto reply = co_await reply_to(**message);
      while (reply && unsaid_.size() >= unsaid_limit) co_await changed_.wait();
      if (reply) say(std::move(*reply));
      if (handled % messages_in_a_turn == 0) co_await net::give_way();
      replying_ = false;
    }
  }
  // The client has closed its control stream: it is leaving.
  mux_->close(errc::closed);
}

asio::awaitable<std::optional<wire::control_message>>
server_session::reply_to(const wire::control_message& message) {
  if (const auto* wanted = std::get_if<wire::bind_request>(&message)) co_return co_await bind(*wanted);
  if (const auto* ping = std::get_if<wire::ping_message>(&message)) co_return wire::pong_message{ping->id};
  if (const auto* answer = std::get_if<wire::pong_message>(&message)) pong(answer->id, true);
  if (std::holds_alternative<wire::bye_message>(message)) mux_->peer_leaves();
  if (const auto* gone = std::get_if<wire::unbind_request>(&message)) co_await unbind(gone->id);
  if (const auto* unknown = std::get_if<wire::unknown_message>(&message)) {
    const auto why = unknown->problem.empty() ? code::unknown_type : code::bad_message;
    const std::string text = unknown->problem.empty()
                                 ? fmt::format("unknown type \"{}\"", printable(unknown->type.substr(0, 64)))
                                 : unknown->problem;
    report(text);
    co_return wire::error_answer{unknown->id, std::string(why), text};
  }
  co_return std::nullopt;
}

/// The client follows when it reads the answer, which comes soon enough for the limit that it has until then.
void server_session::agree_on_keepalive(std::uint32_t wanted, wire::bound_answer& answer) {
  if (wanted == 0) return;
  keepalive_ = wire::agreed_keepalive(wished_keepalive_, wanted);
  mux_->set_keepalive(keepalive_);
  answer.keepalive = wire::keepalive_ms(keepalive_);
}

/// A client with the secret may still ask for nonsense all day long, and on a new session each time.
void server_session::report(std::string_view trouble) {
  static log::limit often;
  log::warn(often, "reverse", "client {}: {}", client_, trouble);
}

asio::awaitable<void> server_session::serve_seed(mux::mux_stream& control) {
  const auto line = co_await link::read_line(control, wire::seed_control_limit);
  if (!line) co_return mux_->close(line.error());
  const auto port = wire::read_seed_request(as_bytes(*line));
  wire::seed_answer answer{false, "Invalid control message"};
  if (port) {
    const wire::bind_request wanted{0, *port};
    const auto outcome = co_await bind(wanted);
    if (const auto* bound = std::get_if<wire::bound_answer>(&outcome))
      answer = {true, fmt::format("listening on {}", bound->address)};
    else if (const auto* refused = std::get_if<wire::error_answer>(&outcome))
      answer.message = refused->message;
  }
  const std::string text = wire::encode(answer);
  const auto sent = co_await control.write(as_bytes(text));
  if (sent) [[maybe_unused]]
    const auto ended = co_await control.shut();
  // An original client closes its side now; until then its stream stays ours.
  for (;;) {
    const auto rest = co_await control.read();
    if (!rest || rest->empty()) break;
    control.consume(rest->size());
  }
}

void server_session::say(wire::control_message message) {
  unsaid_.push_back(std::move(message));
  changed_.notify();
}

asio::awaitable<void> server_session::say_queued(mux::mux_stream& control) {
  std::string line = std::move(half_said_);
  for (;;) {
    const auto sent = co_await control.write(as_bytes(line));
    if (!sent) co_return;
    while (unsaid_.empty()) co_await changed_.wait();
    line = wire::encode(unsaid_.front());
    unsaid_.pop_front();
    changed_.notify();
  }
}

void server_session::ping(duration limit, std::function<void(bool)> answer) {
  if (!native_ || mux_->ended() || mux_->waiting() || tasks_.cancelled()) return answer(false);
  const std::uint64_t id = next_ping_++;
  pings_.emplace(id, std::move(answer));
  say(wire::ping_message{id});
  tasks_.spawn("ping", give_up_ping(id, limit));
}

asio::awaitable<void> server_session::give_up_ping(std::uint64_t id, duration limit) {
  co_await net::sleep_for(limit);
  pong(id, false);
}

void server_session::pong(std::uint64_t id, bool alive) {
  const auto asked = pings_.extract(id);
  if (asked) asked.mapped()(alive);
}

/// The client was asked for the fresh session that has taken the port over; it closes this one when it is
/// time.
void server_session::superseded() {
  // By the ids, and not by what was said: it may have been a former process that asked.
  const bool renewed = has(capabilities_, wire::capability::renew) && mux_->ids_left() <= few_ids_;
  if (!renewed) mux_->abort(errc::superseded);
}

void server_session::stop(duration grace) {
  if (stopping_) return;
  stopping_ = true;
  // The doors are closed: nobody comes back.
  if (mux_->waiting()) return mux_->abort(errc::shutting_down);
  // A client that has not opened its control stream yet has nothing to hear it on.
  if (saying_) say(wire::bye_message{"the server is shutting down"});
  visitors_.leave_by(std::chrono::steady_clock::now() + grace);
  tasks_.spawn("wind down", wind_down());
}

asio::awaitable<void> server_session::wind_down() {
  co_await visitors_.left();
  co_await wait_until_said();
  mux_->close(errc::shutting_down);
}

/// What was said has been handed to the session, or there is no time left for it.
asio::awaitable<void> server_session::wait_until_said() {
  for (;;) {
    const auto left = visitors_.limit() - std::chrono::steady_clock::now();
    if (!saying_ || unsaid_.empty() || mux_->ended() || left <= duration::zero()) co_return;
    net::deadline late(where_, left, [this] { changed_.notify(); });
    co_await changed_.wait();
  }
}

} // namespace gotunnel::reverse
