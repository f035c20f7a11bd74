// One connected session at the client: asks for the public port, then carries visitors to the local service.
//
// run() returns when the session is over: stopped, lost, or refused the port. For each stream that the server
// opens the local service is dialled; when that fails, or leads back to the client's own public port, or too
// many visitors are there already (reverse/local_visits), the visitor is reset and the reason is logged, at
// most once in a few seconds. When the server can resume, a lost carrier does not end the session, which
// waits:
//   while (co_await s.lost()) { reached = ... s.next_request() ...; s.go_on(reached); }
// When the server asks for a fresh session, renewal() says so; the caller makes it, and retires this one when
// the other has the port. On the caller's worker.
#pragma once

#include "gotunnel/base/rate_limit.hpp"
#include "gotunnel/link/dialer.hpp"
#include "gotunnel/mux/session.hpp"
#include "gotunnel/net/socket_stream.hpp"
#include "gotunnel/net/task_group.hpp"
#include "gotunnel/reverse/local_visits.hpp"
#include "gotunnel/reverse/visitor_group.hpp"
#include "gotunnel/wire/control.hpp"
#include "gotunnel/wire/proxy_header.hpp"

#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace gotunnel::reverse {

namespace asio = boost::asio;

using local_target = std::variant<wire::host_port, wire::unix_path>;

/// How a session ended.
struct session_outcome {
  bool was_ready = false; ///< the port was open
  error_code why;
  std::optional<wire::error_answer> refusal; ///< the server's answer, when it was no
};

class client_session {
public:
  /// `ready` is called once, with the answer of the server, when the public port is open.
  using ready_handler = std::function<void(const wire::bound_answer&)>;

  /// `wanted`: the port, and how to hold it; its id is ours to choose. `visits`: of all sessions of the
  /// client; outlives this one. `keepalive`: how often each side is to speak at least; the server's wish, if
  /// larger, goes before.
  client_session(net::executor where, link::reached server, wire::bind_request wanted, local_target target,
                 local_visits& visits, ready_handler ready, duration keepalive = wire::default_keepalive);

  [[nodiscard]] asio::awaitable<session_outcome> run();
  /// After run(), which it must follow: lets the local service read what had arrived for it whole, for at
  /// most a few seconds. The next session need not wait for it.
  [[nodiscard]] asio::awaitable<void> drain();
  /// Returns when a fresh session is wanted: true; or when this one is over: false.
  [[nodiscard]] asio::awaitable<bool> renewal();
  [[nodiscard]] bool to_be_renewed() const noexcept { return renew_; }
  /// Of a session that is over, what run() returned.
  [[nodiscard]] const session_outcome& outcome() const noexcept { return outcome_; }
  /// A fresh session has the port: ends run() when the last visitor has left.
  void retire();
  /// Gives the port up at once, lets visitors finish for at most `grace`, then ends run(). Without a carrier
  /// it waits for a second at most to be able to say so.
  void stop(duration grace);

  // --- resume
  [[nodiscard]] bool resumable() const noexcept { return resume_window_ > duration::zero(); }
  [[nodiscard]] duration resume_window() const noexcept { return resume_window_; }
  /// Returns when the session waits for another carrier: true; or when it is over: false.
  [[nodiscard]] asio::awaitable<bool> lost() { return mux_->lost(); }
  [[nodiscard]] bool waiting() const noexcept { return mux_->waiting(); }
  [[nodiscard]] bool over() const noexcept { return mux_->ended(); }
  [[nodiscard]] bool progressed() const noexcept { return mux_->progressed(); }
  [[nodiscard]] bool moved_on() const noexcept { return mux_->moved_on(); }
  [[nodiscard]] const error_code& loss() const noexcept { return mux_->loss(); }
  /// What to ask the server for; each is good for one attempt.
  [[nodiscard]] link::resume_request next_request() noexcept;
  /// Goes on with this carrier. False when it is not for this session, which is over then, as the server no
  /// longer has it.
  [[nodiscard]] bool go_on(link::reached& server);
  /// The way to the server may have changed.
  void doubt_carrier() { mux_->doubt_carrier(); }

private:
  asio::awaitable<void> control();
  [[nodiscard]] net::task<> bind_native(mux::mux_stream& stream);
  [[nodiscard]] net::task<> bind_seed(mux::mux_stream& stream);
  [[nodiscard]] net::task<> say(const std::string& line);
  /// The answer to a message of the server, or nothing.
  [[nodiscard]] std::optional<wire::control_message> handle(const wire::control_message& message);
  asio::awaitable<void> accept_visitors();
  asio::awaitable<void> serve_visitor(mux::mux_stream_ptr inside);
  asio::awaitable<void> wind_down();
  asio::awaitable<void> close_without_visitors();
  void turn_away(mux::mux_stream& inside, rate_limit& reports, const std::string& why);
  void turn_away_loop(mux::mux_stream& inside);
  [[nodiscard]] bool may_lead_back(const wire::proxy_header& header) const;
  [[nodiscard]] bool leads_back(local_visits::visit& here, const wire::proxy_header& header) const;
  [[nodiscard]] bool leads_back(local_visits::visit& here, const wire::proxy_header& header,
                                const net::any_socket& local) const;
  [[nodiscard]] net::task<wire::proxy_header> read_header(mux::mux_stream& inside);
  [[nodiscard]] net::task<net::any_socket> dial_target(bool speaks);
  void opened(const wire::bound_answer& answer);
  void expect_answer_within(duration limit);

  net::executor where_;
  bool native_;
  bool same_machine_; ///< the server runs on this machine
  wire::bind_request wanted_;
  wire::peer_id id_; ///< the server's name for the session
  duration resume_window_;
  std::uint32_t generation_ = 0; ///< of the latest carrier that was asked for
  duration keepalive_;
  local_target target_;
  local_visits& visits_;
  ready_handler ready_;
  std::shared_ptr<mux::session> mux_;
  net::task_group tasks_; ///< control
  visitor_group visitors_;
  net::signal changed_; ///< saying_, renew_ or over_ changed
  session_outcome outcome_;
  mux::mux_stream_ptr control_;
  std::optional<net::deadline> answer_due_; ///< for the port
  std::optional<net::deadline> last_call_;  ///< armed by stop() while there is no carrier
  rate_limit dial_reports_{5s};
  rate_limit crowd_reports_{10s};
  rate_limit loop_reports_{60s};
  bool saying_ = false; ///< a line is being written to the control stream
  bool stopping_ = false;
  bool renew_ = false;   ///< the server wants a fresh session
  bool retired_ = false; ///< and there is one
  bool over_ = false;    ///< run() has all but returned
};

} // namespace gotunnel::reverse
