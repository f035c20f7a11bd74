// Blocks of memory that are borrowed while bytes rest in them, and given back when they are drained.
//
// An idle connection holds no block; that is what keeps ten thousand of them small. Three sizes: a few bytes
// should not hold 64 KiB, and a bulk transfer should not be cut into small writes. Each thread has a pool of
// its own (no locks); a block is given back on the thread that borrowed it, or on one that did not run yet
// then (a session that was loaded). What a pool keeps for reuse is bounded, the rest is freed.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <utility>

namespace gotunnel {

enum class block_size : std::size_t {
  small = 4 * 1024,
  medium = 16 * 1024,
  large = 66 * 1024,
  huge = 264 * 1024
};

/// One borrowed block, or none. Given back by its destructor.
class block {
public:
  block() = default;
  explicit block(block_size size);
  block(block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  block& operator=(block&& other) noexcept {
    block moved(std::move(other));
    std::swap(data_, moved.data_);
    std::swap(size_, moved.size_);
    return *this;
  }
  ~block();

  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bytes_span span() const noexcept { return {data_, size_}; }

private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Frees what this thread's pool keeps for reuse.
void return_pooled_blocks() noexcept;

} // namespace gotunnel
