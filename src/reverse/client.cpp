#include "gotunnel/reverse/client.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/crypto/digest.hpp"
#include "gotunnel/net/deadline.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>

namespace gotunnel::reverse {
namespace {

constexpr duration first_retry = 500ms;
// While visitors wait.
constexpr duration longest_pause = 2s;
constexpr duration stale_attempt = 1s;

/// Uniform in [0, 1): clients that lost one server must not come back in step.
double random01() {
  std::array<std::byte, 8> bytes{};
  crypto::random_bytes(bytes);
  return static_cast<double>(load_be64(bytes) >> 11) / 9007199254740992.0;
}

} // namespace

client::client(net::executor where, const client_options& options, std::uint8_t number, carrier_owner& owner)
    : where_(std::move(where)), options_(options), number_(number), owner_(owner),
      server_(wire::to_string(options_.way.server)), dialer_(options_.way),
      backoff_(std::min(first_retry, options_.max_retry_interval), options_.max_retry_interval),
      pause_(std::min(first_retry, options_.max_retry_interval),
             std::min(longest_pause, options_.max_retry_interval)),
      attempts_(where_, "reverse"), tasks_(where_, "reverse"), hurry_(where_) {}

asio::awaitable<void> client::run() {
  attempts_.spawn("client", keep_connected());
  co_await attempts_.join();
  co_await tasks_.join();
}

asio::awaitable<void> client::keep_connected() {
  for (;;) {
    const std::string sentence = co_await attempt();
    if (stopping_) co_return;
    if (!options_.retry) {
      log::error("reverse", "{}", sentence);
      exit_code_ = 1;
      co_return;
    }
    if (spare_) {
      log::warn("reverse", "{}; the server has forgotten it, so this is a new one", sentence);
      continue;
    }
    const duration wait = backoff_.next(random01());
    report(sentence, wait);
    co_await net::sleep_for(wait);
  }
}

void client::report(const std::string& trouble, duration wait) {
  const double seconds = std::chrono::duration<double>(wait).count();
  // The same trouble again is not news.
  if (owner_.is_news(trouble))
    log::warn("reverse", "{}; trying again in {:.1f} s", trouble, seconds);
  else
    log::debug("reverse", "{}; trying again in {:.1f} s", trouble, seconds);
}

asio::awaitable<void> client::keep_carried(client_session& session) {
  for (;;) {
    const bool waits = co_await session.lost();
    if (!waits) co_return;
    const auto begin = std::chrono::steady_clock::now();
    log::warn("reverse", "{}the connection with {} was lost: {}; its visitors wait for another, for {} s",
              named(), server_, session.loss().message(),
              std::chrono::duration_cast<std::chrono::seconds>(session.resume_window()).count());
    const bool on = co_await carry_on(session);
    if (!on) co_return;
    (void)owner_.is_news(""); // whatever comes next is
    const auto took = std::chrono::steady_clock::now() - begin;
    log::info("reverse", "{}the session with {} goes on after {:.1f} s", named(), server_,
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
    std::optional<link::resume_request> wanted = session.next_request();
    dialling_since_ = std::chrono::steady_clock::now();
    auto reached = co_await dialer_.reach(wanted);
    dialling_since_ = {};
    if (reached) {
      if (!session.go_on(*reached) && !reached->resumed) spare_.emplace(std::move(*reached));
      break;
    }
    const duration wait = pause_.next(random01());
    const std::string trouble = explain(reached.error());
    report(trouble, wait);
    co_await net::sleep_for(wait);
  }
  hurry_.notify();
}

/// A pause ends, and an attempt that has waited for a while is made anew: its way may be gone.
void client::hurry() {
  if (std::chrono::steady_clock::now() - dialling_since_ > stale_attempt) hurry_.notify();
}

void client::doubt_carrier() {
  if (session_) session_->doubt_carrier();
  hurry();
}

std::string client::named() const { return number_ == 0 ? "" : fmt::format("carrier {}: ", number_); }

asio::awaitable<std::string> client::attempt() {
  if (!spare_) {
    log::debug("reverse", "connecting to {}", server_);
    auto reached = co_await dialer_.reach();
    if (!reached) co_return explain(reached.error());
    spare_.emplace(std::move(*reached));
  }
  link::reached server = std::move(*spare_);
  spare_.reset();
  if (!server.native) log::info("reverse", "{} speaks the original GoTunnel protocol", server_);
  const bool wanted = options_.way.resume_window > duration::zero();
  if (wanted && server.resume_window == duration::zero() && !std::exchange(told_, true))
    log::info("reverse", "{}{} does not resume: visitors are lost with their connection to it", named(),
              server_);

  client_session::ready_handler ready = [this](const wire::bound_answer& answer) {
    backoff_.reset();
    owner_.up(number_, answer);
  };
  session_ = std::make_unique<client_session>(where_, std::move(server), owner_.port_to_ask(), number_,
                                              options_.target, std::move(ready));
  const auto outcome = co_await run_session();
  const std::string sentence = explain(outcome);
  leaving_.push_back(session_.get());
  tasks_.spawn("drain", drain(std::move(session_)));
  co_return sentence;
}

asio::awaitable<session_outcome> client::run_session() {
  net::task_group carriers(where_, "reverse");
  if (session_->resumable()) carriers.spawn("carriers", keep_carried(*session_));
  session_outcome outcome;
  std::exception_ptr cancelled;
  try {
    outcome = co_await session_->run();
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  carriers.cancel();
  co_await carriers.join();
  if (cancelled) std::rethrow_exception(cancelled);
  co_return outcome;
}

/// What a session leaves behind; the next one does not wait for it.
asio::awaitable<void> client::drain(std::unique_ptr<client_session> session) {
  co_await session->drain();
  std::erase(leaving_, session.get());
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
  if (why == errc::refused)
    return fmt::format("{} refuses this client: its version differs, or it takes no more sessions; update "
                       "the older side, or wait",
                       server_);
  if (why == errc::end_of_stream)
    return fmt::format(
        "{} closed the connection before it was set up; check that -server is a gotunnel server", server_);
  if (why.category() == asio::error::get_netdb_category() ||
      why.category() == asio::error::get_addrinfo_category())
    return fmt::format("cannot connect to {}: the host name is unknown ({}); check -server", server_,
                       why.message());
  return fmt::format(
      "cannot connect to {}: {}{}{}; check -server, and that the server runs and can be reached", server_,
      why.message(), detail.empty() ? "" : ": ", detail);
}

std::string client::explain(const session_outcome& outcome) {
  if (outcome.was_ready) owner_.down();
  if (outcome.refusal) {
    owner_.refused(number_);
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
  for (client_session* each : leaving_) each->stop(grace);
  if (!session_) return attempts_.cancel();
  session_->stop(grace);
  hurry();
}

} // namespace gotunnel::reverse
