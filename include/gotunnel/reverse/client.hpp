// The client: keeps a session to the server, for ever.
//
//   client c(executor, options, events); group.spawn("client", c.run()); ... c.stop(grace);
//
// Every end of a session, and every failure to get one, the very first included, is followed by another
// attempt after an exponential backoff with jitter, capped by `max_retry_interval` and reset once the port
// was open. A cause that retrying cannot mend is said in one sentence with its remedy, once until the cause
// changes. With `retry` off the first failure ends run(), and `exit_code()` is 1. One worker.
#pragma once

#include "gotunnel/reverse/client_session.hpp"
#include "gotunnel/wire/backoff.hpp"

#include <vector>

namespace gotunnel::reverse {

struct client_options {
  link::dial_options way;
  std::uint16_t remote_port = 8080; ///< 0: the server chooses, and the choice is kept across reconnects
  local_target target{};
  duration max_retry_interval = 60s;
  bool retry = true;
  std::string trust{}; ///< how the user named the CA, for messages: `-ca ca.crt` or `-pin sha256:...`
};

class client {
public:
  /// Told when the public port is open.
  using ready_handler = std::function<void(const wire::bound_answer&)>;

  client(net::executor where, client_options options, ready_handler ready);

  [[nodiscard]] asio::awaitable<void> run();
  void stop(duration grace);
  [[nodiscard]] int exit_code() const noexcept { return exit_code_; }

private:
  asio::awaitable<void> keep_connected();
  asio::awaitable<void> drain(std::unique_ptr<client_session> session);
  /// One attempt: the sentence that says how it ended.
  [[nodiscard]] asio::awaitable<std::string> attempt();
  [[nodiscard]] std::string explain(const error_code& why) const;
  [[nodiscard]] std::string explain(const session_outcome& outcome);

  net::executor where_;
  client_options options_;
  ready_handler ready_;
  std::string server_;
  link::dialer dialer_;
  wire::backoff backoff_;
  net::task_group attempts_;             ///< keep_connected()
  net::task_group tasks_;                ///< sessions that drain
  std::vector<client_session*> leaving_; ///< the same, for stop()
  std::unique_ptr<client_session> session_;
  std::uint16_t port_to_ask_;
  std::string last_sentence_;
  int exit_code_ = 0;
  bool stopping_ = false;
};

} // namespace gotunnel::reverse
