// Bytes that wait for a slow reader: a queue of borrowed blocks. Empty, it holds no memory but itself.
//
//   queue.push(bytes);                         // copies
//   while (!queue.empty()) { use(queue.front()); queue.pop(n); }
//
// The caller bounds it (the flow-control window does). One thread.
#pragma once

#include "gotunnel/base/block_pool.hpp"

#include <vector>

namespace gotunnel {

class byte_queue {
public:
  void push(bytes_view bytes);
  /// The longest run of bytes at the head that lies in one piece.
  [[nodiscard]] bytes_view front() const noexcept;
  /// Drops `count` bytes of front().
  void pop(std::size_t count) noexcept;
  /// Drops all but front().
  void keep_front() noexcept;
  void clear() noexcept;
  /// All of it, in order.
  [[nodiscard]] std::vector<std::byte> copy() const;

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
  struct piece {
    block memory;
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::vector<piece> pieces_;
  std::size_t head_ = 0; ///< index of the first piece in use
  std::size_t size_ = 0;
};

} // namespace gotunnel
