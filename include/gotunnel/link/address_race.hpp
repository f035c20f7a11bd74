// Which address of a server leads to it: attempts at several addresses, and the first whose TLS handshake
// succeeds wins. Happy eyeballs (RFC 8305), but an address that only accepts, and then says nothing or speaks
// something else, does not win.
//
//   address_race race(executor, tls, addresses, name, max_segment);
//   won = co_await race.next(until);                    // nothing has been sent but TLS, and the others are closed
//   if (!greeted && race.more()) won = co_await race.next(until);    // it was of no use: the rest of them
//   race.again();                                       // at any time, from another task: the way has changed
//
// The next address is tried 250 ms after the last one began, a second after the last one connected if it has
// said nothing since, and at once when one fails. An address that connected and stays silent for 3 s is tried
// once more with small segments: a path that loses large packets may have lost its certificate. again() lets
// the attempts under way go on, and begins new ones beside them. One worker; one next() at a time.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/task_group.hpp"
#include "gotunnel/net/tcp.hpp"
#include "gotunnel/net/tls_stream.hpp"

#include <deque>
#include <list>
#include <memory>
#include <string>

namespace gotunnel::link {

namespace asio = boost::asio;

/// Of several failures the one that says most: what a server that proved itself said, then what TLS found,
/// then what the network did. Among equals the latest.
class telling_failure {
public:
  void note(const error_code& why, std::string detail);
  [[nodiscard]] const error_code& why() const noexcept { return why_; }
  [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

private:
  error_code why_ = errc::timed_out;
  std::string detail_;
  int rank_ = -1;
};

class address_race {
public:
  struct winner {
    std::unique_ptr<net::tls_stream> stream;
    int max_segment = 0;       ///< as the race was told, or smaller
    bool same_machine = false; ///< both ends have one address
  };

  /// `max_segment`: bytes, or 0 for what the path says.
  address_race(net::executor where, const crypto::tls_context& tls, net::endpoints addresses,
               std::string name, int max_segment);

  /// The next that stands; the most telling error of all so far when none is left, or `until` has come.
  [[nodiscard]] net::task<winner> next(time_point until);
  /// Whether next() has anything to try.
  [[nodiscard]] bool more() const noexcept { return !waiting_.empty(); }
  void again();
  [[nodiscard]] const telling_failure& failure() const noexcept { return failure_; }

private:
  struct entry {
    asio::ip::tcp::endpoint to;
    int max_segment = 0;
    time_point silent_since = never; ///< connected, and the handshake is not over
    bool retried = false;            ///< with small segments
    [[nodiscard]] time_point retry_due() const noexcept;
  };
  using running = std::list<entry>::iterator;

  asio::awaitable<void> attempt(running self, duration limit);
  void begin_due(net::task_group& attempts, time_point now, time_point until);
  void retry_silent(time_point now);
  [[nodiscard]] time_point next_step() const noexcept;

  net::executor where_;
  const crypto::tls_context& tls_;
  net::endpoints addresses_;
  std::string name_;
  int max_segment_;
  std::deque<entry> waiting_;
  std::list<entry> running_;
  time_point next_begin_{}; ///< of the first that waits
  time_point begun_;        ///< the first attempt of all, or of the latest again()
  duration again_after_;    ///< that
  net::signal changed_;
  std::unique_ptr<winner> winner_;
  bool over_ = false; ///< next() is ending: attempts were cancelled, and have nothing to say
  telling_failure failure_;
};

} // namespace gotunnel::link
