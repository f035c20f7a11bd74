#include "gotunnel/reverse/client.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/resolver.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>

namespace gotunnel::reverse {
namespace {

constexpr duration first_retry = 500ms;
// While visitors wait.
constexpr duration longest_pause = 2s;
// A server that asks for another session sooner has to wait for it.
constexpr duration brief_session = 60s;
// That go on beside the latest one until their visitors have left.
constexpr std::size_t most_former_sessions = 8;
// A session that lasts longer has done something.
constexpr duration brief = 30s;

/// Uniform in [0, 1): clients that lost one server must not come back in step.
double random01() {
  std::array<std::byte, 8> bytes{};
  crypto::random_bytes(bytes);
  return static_cast<double>(load_be64(bytes) >> 11) / 9007199254740992.0;
}

/// Of a session that ended with its carrier.
bool fell_silent(const error_code& why, time_point since) {
  const bool silent = why == errc::peer_silent || why == errc::timed_out || why == asio::error::timed_out;
  return silent && std::chrono::steady_clock::now() - since < brief;
}

} // namespace

client::client(net::executor where, const client_options& options, std::uint8_t number, carrier_owner& owner)
    : where_(std::move(where)), options_(options), number_(number), owner_(owner),
      server_(wire::to_string(options_.way.server)), dialer_(options_.way),
      backoff_(std::min(first_retry, options_.max_retry_interval), options_.max_retry_interval),
      pause_(std::min(first_retry, options_.max_retry_interval),
             std::min(longest_pause, options_.max_retry_interval)),
      attempts_(where_, "reverse"), tasks_(where_, "reverse"), hurry_(where_), dialled_(where_) {}

asio::awaitable<void> client::run() {
  attempts_.spawn("client", keep_connected());
  co_await attempts_.join();
  co_await tasks_.join();
}

asio::awaitable<void> client::keep_connected() {
  for (;;) {
    const auto ended = co_await attempt();
    if (stopping_) co_return;
    if (!ended) continue;
    const std::string& sentence = *ended;
    if (!options_.retry) {
      log::error("reverse", "{}", sentence);
      exit_code_ = 1;
      co_return;
    }
    if (spare_) {
      static log::limit often;
      log::warn(often, "reverse", "{}; the server has forgotten it, so this is a new one", sentence);
      continue;
    }
    const duration wait = next_wait();
    report(sentence, wait);
    co_await net::sleep_for(wait);
  }
}

/// A port of the server's choice is not worth it.
bool client::waits_in_line() const { return options_.retry && options_.remote_port != 0; }

/// Until the port may be free, when the server knows that; else the backoff's.
duration client::next_wait() {
  const duration backoff = backoff_.next(random01());
  const auto free_in = std::exchange(free_in_, std::nullopt);
  if (!free_in) return backoff;
  const auto jitter = std::chrono::duration_cast<duration>(first_retry * random01());
  return std::min(*free_in + jitter, options_.max_retry_interval);
}

void client::report(const std::string& trouble, duration wait) {
  const double seconds = std::chrono::duration<double>(wait).count();
  // The same trouble again is not news.
  static log::limit often(1s, lines_of_carriers);
  if (owner_.is_news(trouble))
    log::warn(often, "reverse", "{}; trying again in {:.1f} s", trouble, seconds);
  else
    log::debug("reverse", "{}; trying again in {:.1f} s", trouble, seconds);
}

asio::awaitable<void> client::keep_carried(client_session& session) {
  for (;;) {
    const bool waits = co_await session.lost();
    if (!waits) co_return;
    carrier_lost(session.moved_on());
    const auto begin = std::chrono::steady_clock::now();
    static log::limit losses(200ms, lines_of_carriers);
    static log::limit returns(200ms, lines_of_carriers);
    log::warn(losses, "reverse",
              "{}the connection with {} was lost: {}; its visitors wait for another, for {} s", named(),
              server_, session.loss().message(),
              std::chrono::duration_cast<std::chrono::seconds>(session.resume_window()).count());
    const bool on = co_await carry_on(session);
    if (!on) co_return;
    (void)owner_.is_news(""); // whatever comes next is
    const auto took = std::chrono::steady_clock::now() - begin;
    log::info(returns, "reverse", "{}the session with {} goes on after {:.1f} s", named(), server_,
              std::chrono::duration<double>(took).count());
  }
}

/// False when the session is over.
asio::awaitable<bool> client::carry_on(client_session& session) {
  bool at_once = session.progressed();
  if (at_once) pause_.reset();
  while (session.waiting()) {
    net::task_group attempt(where_, "reverse");
    attempt.spawn("reach again", reach_again(session, at_once));
    std::exception_ptr thrown;
    try {
      if (attempt.size() > 0) co_await hurry_.wait();
    } catch (...) {
      thrown = std::current_exception();
    }
    // A wait that was cancelled ends by value; the next one would throw, with the attempt under way.
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = thrown || state.cancelled() != asio::cancellation_type::none;
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    attempt.cancel();
    co_await attempt.join();
    if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
    at_once = true;
  }
  co_return !session.over();
}

/// Until the session is carried again, or over.
asio::awaitable<void> client::reach_again(client_session& session, bool at_once) {
  if (!at_once) co_await net::sleep_for(pause_.next(random01()));
  while (session.waiting()) {
    link::request_source next_request = [&session] { return session.next_request(); };
    auto reached = co_await dial(std::move(next_request));
    if (reached) {
      const bool on = session.go_on(*reached);
      if (!on && !reached->resumed && &session == session_.get()) spare_.emplace(std::move(*reached));
      break;
    }
    const duration wait = pause_.next(random01());
    const std::string trouble = explain(reached.error());
    report(trouble, wait);
    co_await net::sleep_for(wait);
  }
  hurry_.notify();
}

/// Another carrier like one that moved nothing would do no better.
void client::carrier_lost(bool moved_on) {
  const auto now = std::chrono::steady_clock::now();
  const int before = segments_.size(now);
  segments_.lost(moved_on, now);
  const int size = segments_.size(now);
  if (size != before && size != 0)
    log::info("reverse",
              "{}the latest connections with {} carried nothing: the next ones send packets of {} bytes at "
              "most, in case that larger ones get lost on the way",
              named(), server_, size);
}

net::task<link::reached> client::dial(link::request_source wanted) {
  // One at a time: a former session may be on its way back beside the latest.
  while (dialling_) co_await dialled_.wait();
  const struct turn {
    explicit turn(client& whose) : of(whose) { of.dialling_ = true; }
    ~turn() {
      of.dialling_ = false;
      of.dialled_.notify();
    }
    client& of;
  } mine(*this);
  dialer_.use_segments(segments_.size(std::chrono::steady_clock::now()));
  auto reached = co_await dialer_.reach(std::move(wanted));
  if (reached) segments_.worked(reached->max_segment, std::chrono::steady_clock::now());
  co_return reached;
}

/// A pause ends. An attempt goes on, for its way may be the right one, and is raced by another.
void client::hurry() {
  if (!dialer_.hurry()) hurry_.notify();
}

void client::doubt_carrier() {
  for (const auto& each : sessions_) each->doubt_carrier();
  hurry();
}

std::string client::named() const { return number_ == 0 ? "" : fmt::format("carrier {}: ", number_); }

asio::awaitable<std::optional<std::string>> client::attempt() {
  if (!spare_) {
    log::debug("reverse", "connecting to {}", server_);
    auto reached = co_await dial();
    // A cancellation that comes in the very turn in which the race ended is not heard.
    if (stopping_) co_return std::nullopt;
    if (!reached) co_return explain(reached.error());
    spare_.emplace(std::move(*reached));
  }
  link::reached server = std::move(*spare_);
  spare_.reset();
  static log::limit often;
  if (!server.native) log::info(often, "reverse", "{} speaks the original GoTunnel protocol", server_);
  const bool wanted = options_.way.resume_window > duration::zero();
  if (wanted && server.resume_window == duration::zero() && !std::exchange(told_, true))
    log::info("reverse", "{}{} does not resume: visitors are lost with their connection to it", named(),
              server_);

  client_session::ready_handler ready = [this](const wire::bound_answer& answer) {
    backoff_.reset();
    owner_.up(number_, answer);
    retire_former();
  };
  const wire::bind_request question{
      .port = owner_.port_to_ask(), .carrier = number_, .wait = waits_in_line()};
  session_ = std::make_shared<client_session>(where_, std::move(server), question, options_.target,
                                              owner_.visits(), std::move(ready), options_.keepalive);
  const auto begin = std::chrono::steady_clock::now();
  const auto latest = session_;
  sessions_.push_back(latest);
  tasks_.spawn("session", carry(latest));
  const bool renew = co_await latest->renewal();
  session_.reset();
  if (!renew) {
    const session_outcome& outcome = latest->outcome();
    if (!latest->resumable()) carrier_lost(!fell_silent(outcome.why, begin));
    co_return explain(outcome);
  }
  owner_.down();
  log::info(often, "reverse",
            "{}{} asks for a fresh session, as this one has few stream ids left; its visitors go on", named(),
            server_);
  // Honest servers ask once in 2^31 streams.
  if (std::chrono::steady_clock::now() - begin < brief_session) co_await net::sleep_for(longest_pause);
  if (sessions_.size() > most_former_sessions) sessions_.front()->stop(duration::zero());
  co_return std::nullopt;
}

/// From the session's beginning to its end, and what it leaves behind; the next one does not wait for that.
asio::awaitable<void> client::carry(std::shared_ptr<client_session> session) {
  co_await run_session(*session);
  static log::limit often;
  if (session->to_be_renewed())
    log::info(often, "reverse", "{}the former session with {} is over", named(), server_);
  co_await session->drain();
  std::erase(sessions_, session);
}

asio::awaitable<void> client::run_session(client_session& session) {
  net::task_group carriers(where_, "reverse");
  if (session.resumable()) carriers.spawn("carriers", keep_carried(session));
  std::exception_ptr cancelled;
  try {
    [[maybe_unused]] const auto outcome = co_await session.run();
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  carriers.cancel();
  co_await carriers.join();
  if (cancelled) std::rethrow_exception(cancelled);
}

/// The latest session has the port.
void client::retire_former() {
  for (const auto& each : sessions_)
    if (each != session_ && each->to_be_renewed()) each->retire();
}

std::string client::explain(const error_code& why) const {
  const std::string& detail = dialer_.failure();
  if (why == errc::wrong_secret)
    return fmt::format(
        "{} refused the secret{}{}; give the server's own with -secret-file, -secret or GOTUNNEL_SECRET",
        server_, detail.empty() ? "" : ": ", detail);
  if (why == errc::untrusted_server)
    return fmt::format("the certificate of {} is not of the CA given by {}; copy ca.crt from the server, or "
                       "give the pin that it "
                       "prints with -pin",
                       server_, options_.trust);
  if (why == errc::wrong_server_name)
    return fmt::format("the certificate of {} is of the right CA but not for {}; give the server the "
                       "server.crt that it made itself",
                       server_, crypto::server_name);
  if (why == errc::certificate_expired)
    return fmt::format(
        "the certificate of {} is expired or not yet valid; `gotunnel pki show` on the server says "
        "which, and what to do; check the clocks of both machines",
        server_);
  if (why == errc::not_gotunnel)
    return fmt::format("{} does not speak gotunnel{}{}; check -server", server_, detail.empty() ? "" : ": ",
                       detail);
  if (why == errc::seed_peer_refused)
    return fmt::format("{} speaks the original protocol, which -seed-peers off refuses; update the server, "
                       "or drop the option",
                       server_);
  if (why == errc::downgraded)
    return fmt::format(
        "{} speaks the original protocol, though this server, or another of its CA, has spoken "
        "the native one: it is not sent the secret, for it may be somebody else with the "
        "server's key; update the server, or, if it really is an original GoTunnel now, start "
        "this client again with -seed-peers on",
        server_);
  if (why == errc::refused)
    return fmt::format("{} refuses this client: its version differs; update the older side", server_);
  if (why == errc::too_many_sessions)
    return fmt::format("{} takes no more sessions of this client: they are too many; stop the processes that "
                       "share its client id, or give each its own -state-dir",
                       server_);
  if (why == errc::end_of_stream)
    return fmt::format(
        "{} closed the connection before it was set up; check that -server is a gotunnel server, and that no "
        "client behind the same address has a wrong secret: after many of those it answers late or not at "
        "all",
        server_);
  if (const auto trouble = net::lookup_trouble(why); !trouble.empty())
    return fmt::format("cannot connect to {}: {}; check -server, and that this machine can look names up",
                       server_, trouble);
  return fmt::format(
      "cannot connect to {}: {}{}{}; check -server, and that the server runs and can be reached", server_,
      why.message(), detail.empty() ? "" : ": ", detail);
}

std::string client::explain(const session_outcome& outcome) {
  if (outcome.was_ready) owner_.down();
  if (outcome.refusal) {
    owner_.refused(number_);
    // Who may wait in line comes back for that sooner.
    if (outcome.refusal->free_in_ms && !waits_in_line())
      free_in_ = std::chrono::milliseconds(*outcome.refusal->free_in_ms);
    return fmt::format("{} refused -remote-port {}: {}", server_, options_.remote_port,
                       outcome.refusal->message);
  }
  if (outcome.was_ready && number_ != 0)
    return fmt::format("carrier {}: the session with {} was lost: {} ({})", number_, server_,
                       outcome.why.message(), owner_.standing());
  if (outcome.was_ready)
    return fmt::format("the session with {} was lost: {}", server_, outcome.why.message());
  return fmt::format("the session with {} ended before the port was open: {}", server_,
                     outcome.why.message());
}

void client::stop(duration grace) {
  stopping_ = true;
  for (const auto& each : sessions_) each->stop(grace);
  if (!session_) attempts_.cancel();
  hurry();
}

} // namespace gotunnel::reverse
