// What was sent and the peer has not acknowledged: kept, so that it can be sent once more on a new carrier.
//
//   n = core.transmit(log.room(), now); log.commit(n);      // written where it stays: nothing is copied in bulk
//   carrier.write(log.from(offset))                          // what begins there and lies in one piece
//   log.acknowledge(offset);                                 // what precedes it is given back
//
// Offsets count the bytes of the session from its beginning. Blocks are borrowed while they hold bytes that
// are kept; small batches are copied together, so that a few bytes do not hold a large block. What room() and
// from() lend is good until the bytes are acknowledged; room() only until commit(). The caller bounds the
// log. Nothing is allocated once its table has grown, unless more is kept than the pool has blocks for. One
// thread.
#pragma once

#include "gotunnel/base/block_pool.hpp"
#include "gotunnel/base/record.hpp"

#include <cstdint>
#include <vector>

namespace gotunnel::wire {

class sent_log {
public:
  /// What room() has at most: a batch that TLS seals at once.
  static constexpr std::size_t largest_batch = 256 * 1024;

  /// Room for the next batch, 64 KiB at least.
  [[nodiscard]] bytes_span room();
  /// The first `count` bytes of room() are the session's next ones.
  void commit(std::size_t count);
  /// begin() <= offset <= end()
  void acknowledge(std::uint64_t offset) noexcept;
  /// The bytes from `offset` on, as many as lie in one piece. begin() <= offset <= end()
  [[nodiscard]] bytes_view from(std::uint64_t offset) const noexcept;

  void save(record_writer& to) const;
  /// Into a log that has not been used.
  void load(record_reader& from);

  [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - begin_); }

private:
  struct piece {
    block memory;
    std::uint64_t begin; ///< offset of its first byte
    std::size_t used = 0;

    [[nodiscard]] std::uint64_t end() const noexcept { return begin + used; }
    [[nodiscard]] bytes_span rest() const noexcept { return memory.span().subspan(used); }
  };
  [[nodiscard]] bool empty() const noexcept { return first_ == pieces_.size(); }
  void copy(bytes_view batch);

  std::vector<piece> pieces_;
  std::size_t first_ = 0; ///< of those that are in use
  block fresh_;           ///< lent by room(), when the last piece has too little
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

} // namespace gotunnel::wire
