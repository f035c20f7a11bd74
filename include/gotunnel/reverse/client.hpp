// One carrier of a client: keeps a session to the server, for ever.
//
//   client c(executor, options, number, owner); co_await c.run(); ... c.stop(grace);
//
// A session whose carrier is lost gets another one, dialled at once and then with backoff (2 s at most), for
// as long as both sides keep it (-resume-window); a new way to the server is tried at once. When the server
// asks for a fresh session, that one takes over, and the former goes on beside it until its last visitor has
// left. Every end of a session, and every failure to get one, the very first included, is followed by another
// attempt after an exponential backoff with jitter, capped by `max_retry_interval` and reset once the port
// was open. A port whose holder is away is waited for in line at the server. A cause that retrying cannot
// mend is said in one sentence with its remedy, once until the cause changes. With `retry` off the first
// failure ends run(), and `exit_code()` is 1. One worker, that of the owner, which outlives the client.
#pragma once

#include "gotunnel/reverse/client_session.hpp"
#include "gotunnel/reverse/segment_choice.hpp"
#include "gotunnel/wire/backoff.hpp"

#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace gotunnel::reverse {

struct client_options {
  link::dial_options way;
  std::uint16_t remote_port = 8080; ///< 0: the server chooses, and the choice is kept across reconnects
  local_target target{};
  duration max_retry_interval = 60s;
  bool retry = true;
  duration keepalive = wire::default_keepalive;
  std::size_t max_visitors = std::numeric_limits<std::size_t>::max(); ///< at once, of all carriers
  std::string trust{}; ///< how the user named the CA, for messages: `-ca ca.crt` or `-pin sha256:...`
};

/// How many log lines of a kind may follow each other: all carriers are lost and come back together.
inline constexpr unsigned lines_of_carriers = 2 * wire::carriers_limit;

/// What the carriers of one client have in common, and are told of each other through.
class carrier_owner {
public:
  virtual ~carrier_owner() = default;

  /// What to ask the server for; 0: it chooses.
  [[nodiscard]] virtual std::uint16_t port_to_ask() const = 0;
  /// The carrier of this number holds the public port, until down().
  virtual void up(std::uint8_t number, const wire::bound_answer& answer) = 0;
  virtual void down() = 0;
  virtual void refused(std::uint8_t number) = 0;
  /// Who is at the local service, by whatever carrier.
  [[nodiscard]] virtual local_visits& visits() = 0;
  /// How many carriers are up, in words.
  [[nodiscard]] virtual std::string standing() const = 0;
  /// False when the trouble is known from another attempt, of any carrier.
  [[nodiscard]] virtual bool is_news(const std::string& trouble) = 0;
};

class client {
public:
  /// `number` is that of the carrier, or 0 for an only one.
  client(net::executor where, const client_options& options, std::uint8_t number, carrier_owner& owner);

  [[nodiscard]] asio::awaitable<void> run();
  void stop(duration grace);
  /// The way to the server may have changed: a dead carrier is to be found out at once.
  void doubt_carrier();
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

private:
  asio::awaitable<void> keep_connected();
  asio::awaitable<void> carry(std::shared_ptr<client_session> session);
  void retire_former();
  asio::awaitable<void> keep_carried(client_session& session);
  [[nodiscard]] asio::awaitable<bool> carry_on(client_session& session);
  asio::awaitable<void> reach_again(client_session& session, bool at_once);
  void hurry();
  void carrier_lost(bool moved_on);
  [[nodiscard]] net::task<link::reached> dial(link::request_source wanted = {});
  [[nodiscard]] bool waits_in_line() const;
  [[nodiscard]] duration next_wait();
  void report(const std::string& trouble, duration wait);
  /// "carrier 2: ", or nothing for an only one.
  [[nodiscard]] std::string named() const;
  /// One attempt: the sentence that says how it ended; nothing when it is time for another session.
  [[nodiscard]] asio::awaitable<std::optional<std::string>> attempt();
  asio::awaitable<void> run_session(client_session& session);
  [[nodiscard]] std::string explain(const error_code& why) const;
  [[nodiscard]] std::string explain(const session_outcome& outcome);

  net::executor where_;
  const client_options& options_;
  std::uint8_t number_;
  carrier_owner& owner_;
  std::string server_;
  link::dialer dialer_;
  segment_choice segments_;
  wire::backoff backoff_;                                 ///< between sessions
  wire::backoff pause_;                                   ///< between carriers of one session
  net::task_group attempts_;                              ///< keep_connected()
  net::task_group tasks_;                                 ///< sessions
  std::vector<std::shared_ptr<client_session>> sessions_; ///< the same: the latest, and those that end
  std::shared_ptr<client_session> session_;               ///< the latest, until it is over or to be renewed
  std::optional<duration> free_in_;                       ///< the port that was refused
  std::optional<link::reached> spare_; ///< reached for a session that the server had forgotten
  net::signal hurry_;                  ///< the session is carried again, or a pause is to end
  net::signal dialled_;                ///< dialling_ is over
  bool dialling_ = false;              ///< the dialer is in use
  bool told_ = false;                  ///< that the server does not resume
  int exit_code_ = 0;
  bool stopping_ = false;
};

} // namespace gotunnel::reverse
