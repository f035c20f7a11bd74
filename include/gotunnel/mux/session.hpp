// One multiplexed session: drives wire/smux_core over a carrier.
//
//   auto s = std::make_shared<session>(executor, std::move(carrier), config);
//   group.spawn("session", ... co_await s->run() ...);      // returns why the session ended, with every task of it gone
//   stream = s->open();  or  stream = co_await s->accept();
//
// Three tasks: a reader (carrier -> core -> streams), a writer (core -> carrier; it chooses the bytes only
// when the carrier can take them, so control frames and waiting streams go first), and a keeper (keepalive,
// round-trip time). When the session ends every stream of it fails. A slow stream stops only itself: when all
// readers together let the session's memory budget fill, or its part of the process's (base/memory_budget),
// streams that nobody reads are reset, those that have waited longest first, and the carrier is read on. Only
// while every reader has drained something in the last 100 ms does the carrier wait for them.
//
// With a resume window the session outlives its carrier by that long (wire/resume.hpp):
//   while (co_await s->lost()) { ...reach the peer again...; s->attach(std::move(carrier), what the peer received); }
// A carrier that breaks, or that is dead by all signs, is lost; the streams wait, and the bytes that the peer
// did not get go to the next carrier. The end of the carrier in good order, a protocol error and close() end
// the session as ever. The window begins anew only when the carrier had brought the session on. fence() takes
// the carrier that is there out of use: nothing is read from it any more. A session can be saved and loaded
// by another process, to which its peer then comes back. One worker; streams hold the session.
#pragma once

#include "gotunnel/base/memory_budget.hpp"
#include "gotunnel/mux/mux_stream.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/lookout.hpp"
#include "gotunnel/net/signal.hpp"
#include "gotunnel/net/stream.hpp"
#include "gotunnel/wire/resume.hpp"
#include "gotunnel/wire/smux_core.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace gotunnel::mux {

class session : public std::enable_shared_from_this<session> {
public:
  /// config.resumable follows from `resume_window`.
  /// Without a carrier it waits for one from the beginning, and is to be loaded first.
  session(net::executor where, net::stream_ptr carrier, const wire::smux_config& config,
          duration resume_window = duration::zero(), memory_budget& memory = memory_budget::of_process());
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Carries until close(), or until the peer fails, or the carrier does and no other comes. Once per
  /// session.
  asio::awaitable<error_code> run();
  /// Ends the session: frames already due still leave, then the carrier is shut and the peer's own end
  /// awaited, all of it for at most a second; at once when there is no carrier.
  void close(error_code why);
  /// Ends the session at once; nothing more is sent.
  void abort(error_code why);

  [[nodiscard]] result<mux_stream_ptr> open();
  /// The next stream that the peer opens; the session's end as an error.
  [[nodiscard]] net::task<mux_stream_ptr> accept();

  // --- resume
  /// Returns when the session waits for another carrier: true; or when it has ended: false.
  [[nodiscard]] asio::awaitable<bool> lost();
  /// Returns when it waits no longer: true; or when it has ended: false.
  [[nodiscard]] asio::awaitable<bool> carried();
  [[nodiscard]] bool waiting() const noexcept { return !carrier_ && !ended_; }
  /// Whether the latest carrier has brought the session on, so that its loss is a new one.
  [[nodiscard]] bool progressed() const noexcept;
  /// False when the latest carrier, lost soon after it came, had moved nothing in a direction in which bytes
  /// may have waited: another like it would not, either.
  [[nodiscard]] bool moved_on() const noexcept;
  /// Why the last carrier was lost.
  [[nodiscard]] const error_code& loss() const noexcept { return loss_; }
  /// Takes the carrier out of use, if there is one; true when the session waits for another then.
  [[nodiscard]] asio::awaitable<bool> fence();
  /// Bytes of the peer that have arrived, for the peer to go on from; stands still while the session waits.
  [[nodiscard]] std::uint64_t received() const noexcept { return core_.received(); }
  /// Whether the peer can have received that.
  [[nodiscard]] bool serves(std::uint64_t peer_received) const noexcept { return out_.serves(peer_received); }
  /// Goes on, if the session waits; false, and the carrier is dropped, if not. A count of the peer that
  /// cannot be right ends the session.
  bool attach(net::stream_ptr carrier, std::uint64_t peer_received);
  /// The way to the peer may have changed: the carrier is lost unless the peer is heard of within a second.
  void doubt_carrier();

  /// What both sides have agreed on, from now on; none is agreed on with plain smux.
  void set_keepalive(duration interval);

  // --- another process, when there is a resume window
  /// Of a session in which nothing moves (net/standstill). Its streams are saved by whoever has them.
  void save(record_writer& to) const;
  /// Into one that was made without a carrier. The streams are loaded next, and drop_unclaimed() after them.
  [[nodiscard]] result<> load(record_reader& from);
  struct loaded_stream {
    mux_stream_ptr stream;
    std::vector<std::byte> unsent; ///< of a write() that waited, and behind it: to be written first
  };
  [[nodiscard]] result<loaded_stream> load_stream(record_reader& from);
  /// Resets the streams that nobody has loaded.
  void drop_unclaimed();

  [[nodiscard]] bool ended() const noexcept { return ended_; }
  /// Streams that it may still open.
  [[nodiscard]] std::uint64_t ids_left() const noexcept { return core_.ids_left(); }
  /// The peer has said goodbye and will not come back: the loss of the carrier ends the session.
  void peer_leaves() noexcept { peer_leaves_ = true; }
  /// It opens nothing more.
  [[nodiscard]] bool closing() const noexcept { return closing_ || ended_; }
  [[nodiscard]] std::size_t stream_count() const noexcept { return streams_.size(); }
  /// The other end of the latest carrier, for people.
  [[nodiscard]] const std::string& peer() const noexcept { return peer_; }

private:
  friend class mux_stream;

  // session.cpp
  [[nodiscard]] result<> handle_fed();
  void handle(const wire::smux_event& event);
  /// What the core says about the stream's id goes to it from now on ...
  void adopt(mux_stream& stream);
  /// ... and no longer.
  void forget(const mux_stream& stream);
  /// What the stream offers may leave as soon as it is its turn; else it may take long.
  [[nodiscard]] bool sends(wire::stream_id id) const noexcept;
  /// Compares what waits for slow readers with what may, and resets streams that nobody reads when it must.
  void mind_memory();
  void report_memory();
  void count_bytes();
  /// Core state has changed: the writer, the reader, the keeper or all of them may have something to do.
  void wake();

  // session_carrier.cpp
  asio::awaitable<void> ride(asio::awaitable<void> (session::*task)());
  asio::awaitable<void> read_carrier();
  asio::awaitable<void> write_carrier();
  asio::awaitable<void> shut_carrier();
  asio::awaitable<void> keep_alive();
  void look_after_carrier();
  [[nodiscard]] duration patience() const noexcept;
  void rest_after_work();
  /// The carrier failed: the session waits for another, or ends.
  void lose(error_code why);
  void drop_lost_carrier();
  [[nodiscard]] bool riding() const noexcept { return carrier_ && !fenced_ && !ended_; }

  net::executor where_;
  net::stream_ptr carrier_;
  std::string peer_;
  wire::smux_core core_;
  wire::resume out_;
  memory_budget::share memory_;
  duration resume_window_;
  duration longest_sleep_; ///< of the keeper
  bool peer_resets_;
  duration forgotten_after_;
  std::unordered_map<wire::stream_id, mux_stream*> streams_;
  std::deque<mux_stream_ptr> opened_by_peer_;
  net::lookout lookout_;
  net::signal work_;                   ///< the core has something to transmit, or closing
  net::signal drained_;                ///< the core is below its budget again
  net::signal accepted_;               ///< opened_by_peer_ has grown, or the session ended
  net::signal changed_;                ///< ended_, or the carrier came or went
  std::optional<net::deadline> hurry_; ///< armed by close()
  std::optional<net::deadline> hold_;  ///< armed while there is no carrier
  asio::steady_timer nap_;             ///< the keeper's
  time_point nap_ends_ = never;
  time_point round_trip_asked_{};
  std::uint64_t bytes_in_ = 0;  ///< since count_bytes()
  std::uint64_t bytes_out_ = 0; ///< since count_bytes()
  time_point rested_at_{};
  time_point stirred_at_{};               ///< when a bulk of bytes passed last, as far as the keeper knows
  int riders_ = 0;                        ///< tasks that use carrier_
  std::uint64_t received_before_ = 0;     ///< of the latest carrier
  std::uint64_t acknowledged_before_ = 0; ///< of the latest carrier
  time_point attached_at_;
  time_point lost_at_{};
  int fruitless_ = 0;        ///< carriers in a row that have not moved_on()
  time_point window_ends_{}; ///< the session without a carrier
  bool fenced_ = false;      ///< carrier_ is lost, and goes when its riders have left it
  error_code loss_;
  bool stirred_ = false; ///< a bulk of bytes has passed since the keeper looked
  bool swollen_;         ///< memory has been used that was not given back
  bool peer_leaves_ = false;
  bool closing_ = false;
  bool said_all_ = false; ///< all frames have left, and our end with them
  bool ended_ = false;
  error_code why_;
};

using session_ptr = std::shared_ptr<session>;

} // namespace gotunnel::mux
