// One multiplexed session: drives wire/smux_core over a carrier.
//
//   auto s = std::make_shared<session>(executor, std::move(carrier), config);
//   group.spawn("session", ... co_await s->run() ...);      // returns why the session ended, with every task of it gone
//   stream = s->open();  or  stream = co_await s->accept();
//
// Three tasks: a reader (carrier -> core -> streams), a writer (core -> carrier; it chooses the bytes only
// when the carrier can take them, so control frames and waiting streams go first), and a keeper (keepalive,
// round-trip time). When the session ends every stream of it fails. A slow stream stops only itself; when all
// readers together let the session's memory budget fill, or its part of the process's (base/memory_budget),
// the carrier is not read until some of it is drained, and streams that nobody reads are reset after 5 s of
// that. One worker; streams hold the session.
#pragma once

#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/mux/mux_stream.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/signal.hpp"
#include "gotunnel/net/stream.hpp"
#include "gotunnel/wire/smux_core.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

namespace gotunnel::mux {

class session : public std::enable_shared_from_this<session> {
public:
  session(net::executor where, net::stream_ptr carrier, const wire::smux_config& config,
          memory_budget& memory = memory_budget::of_process());
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Carries until close(), or until the carrier or the peer fails. Once per session.
  asio::awaitable<error_code> run();
  /// Ends the session: frames already due still leave, then the carrier is shut and the peer's own end
  /// awaited, all of it for at most a second.
  void close(error_code why);
  /// Ends the session at once; nothing more is sent.
  void abort(error_code why);

  [[nodiscard]] result<mux_stream_ptr> open();
  /// The next stream that the peer opens; the session's end as an error.
  [[nodiscard]] net::task<mux_stream_ptr> accept();

  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// It opens nothing more.
  [[nodiscard]] bool closing() const noexcept { return closing_ || ended_; }
  [[nodiscard]] std::size_t stream_count() const noexcept { return streams_.size(); }
  [[nodiscard]] const net::stream& carrier() const noexcept { return *carrier_; }
  /// When the peer was last heard of.
  [[nodiscard]] time_point last_heard() const noexcept { return last_heard_; }

private:
  friend class mux_stream;

  asio::awaitable<void> read_carrier();
  asio::awaitable<void> write_carrier();
  asio::awaitable<void> keep_alive();
  void rest_after_work();
  /// Compares what waits for slow readers with what may, and resets streams that nobody reads when it must.
  void mind_memory();
  void count_bytes();
  [[nodiscard]] result<> handle_fed();
  void handle(const wire::smux_event& event);
  void forget(wire::stream_id id);
  /// Core state has changed: the writer, the reader or both may have something to do.
  void wake();

  net::executor where_;
  net::stream_ptr carrier_;
  wire::smux_core core_;
  memory_budget::share memory_;
  duration longest_sleep_; ///< of the keeper
  bool peer_resets_;
  duration forgotten_after_;
  std::unordered_map<wire::stream_id, mux_stream*> streams_;
  std::deque<mux_stream_ptr> opened_by_peer_;
  net::signal work_;                   ///< the core has something to transmit, or closing
  net::signal drained_;                ///< the core is below its budget again
  net::signal accepted_;               ///< opened_by_peer_ has grown, or the session ended
  net::signal ending_;                 ///< ended_
  std::optional<net::deadline> hurry_; ///< armed by close()
  time_point last_heard_;
  time_point round_trip_asked_{};
  std::uint64_t bytes_in_ = 0;  ///< since count_bytes()
  std::uint64_t bytes_out_ = 0; ///< since count_bytes()
  bool stirred_ = false;        ///< a bulk of bytes has passed since the keeper looked
  bool swollen_;                ///< memory has been used that was not given back
  bool closing_ = false;
  bool said_all_ = false; ///< all frames have left, and our end with them
  bool ended_ = false;
  error_code why_;
};

using session_ptr = std::shared_ptr<session>;

} // namespace gotunnel::mux
