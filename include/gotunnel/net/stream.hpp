// The byte door: everything that carries bytes in order, with half-close. TCP, Unix sockets, TLS and smux
// streams are streams, and so is anything a test puts in their place.
//
//   view = co_await s.read();  ... use it ...  s.consume(n);       // a reader is lent the stream's own buffer
//   co_await s.write(bytes);                                        // returns when the bytes may be reused
//   co_await s.shut();                                              // no more from us; reading goes on
//   if (s.at_end()) co_await other.write_last(view);                // what was lent is all: the end goes with it
//   s.close(ending::graceful or ending::abort);
//
//   co_await s.wait_readable(); co_await other.write_from(*s.source());   // where there is a source(): nothing is lent
//
// One read and one write may be waiting at once. An empty view is the end of the stream (the peer's
// half-close). What was read and not consumed is lent again by the next read(). close() makes waiting
// operations end with an error; it may be called more than once, and the destructor closes abruptly what is
// still open. `ending::abort` tells the peer that the stream did not end well (a TCP reset, an smux RST) and
// drops what is unsent. All calls on the thread of the stream's worker.
#pragma once

#include "gotunnel/base/byte_source.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/task.hpp"

#include <functional>
#include <memory>
#include <string>

namespace gotunnel::net {

enum class ending { graceful, abort };

class stream {
public:
  virtual ~stream() = default;

  [[nodiscard]] virtual task<bytes_view> read() = 0;
  virtual void consume(std::size_t count) = 0;
  [[nodiscard]] virtual task<> write(bytes_view bytes) = 0;
  [[nodiscard]] virtual task<> shut() = 0;
  virtual void close(ending how) = 0;

  /// Whether the bytes that the last read() lent are the last ones, and the stream's end is behind them.
  /// False as long as that is not known.
  [[nodiscard]] virtual bool at_end() const { return false; }
  /// write() and shut(); in one piece where the stream can. The bytes are not empty.
  [[nodiscard]] virtual task<> write_last(bytes_view bytes);

  /// Returns when a read() would return at once.
  [[nodiscard]] virtual task<> wait_readable();
  /// What read() would lend, to be taken when it is wanted; nullptr where bytes lie in the stream already.
  [[nodiscard]] virtual byte_source* source() { return nullptr; }
  /// Writes what `source` gives once, when the stream can use it, and its end as write_last() and shut() do;
  /// how much that was. Nothing when the source has nothing, or has failed.
  [[nodiscard]] virtual task<byte_source::taken> write_from(byte_source& source);

  /// Returns when a write would leave at once: the later the bytes are chosen, the fresher they are.
  [[nodiscard]] virtual task<> wait_writable() = 0;
  /// Round-trip time to the peer as far as it is known, or zero.
  [[nodiscard]] virtual duration round_trip() const { return duration::zero(); }
  /// Calls `tell` once, as soon as the stream has failed, though nobody reads or writes; an empty function
  /// takes that back. A stream that finds failures only where it is used never calls.
  virtual void on_failure(std::function<void()> /*tell*/) {}
  /// Whether the system has heard of the peer within `limit`, be it only that it has bytes of ours.
  [[nodiscard]] virtual bool heard_within(duration /*limit*/) const { return false; }
  /// Whether it had better be replaced: its keys cannot be changed and have served for almost as long as they
  /// may. Sooner when that disturbs nobody.
  [[nodiscard]] virtual bool worn(bool /*disturbs_nobody*/) const { return false; }
  /// Makes another worker's thread the stream's own. Nothing may wait on it; false, and the stream is of no
  /// more use, when bytes are unread or it cannot move at all.
  [[nodiscard]] virtual bool move_to(const executor& /*where*/) { return false; }
  /// The other end, for people.
  [[nodiscard]] virtual std::string peer() const = 0;
};

using stream_ptr = std::unique_ptr<stream>;

} // namespace gotunnel::net
