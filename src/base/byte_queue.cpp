#include "gotunnel/base/byte_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace gotunnel {
namespace {

/// The more waits, the larger the next block: a stalled stream of small messages does not hold a large one.
block_size next_block(std::size_t waiting) noexcept {
  if (waiting < static_cast<std::size_t>(block_size::small)) return block_size::small;
  if (waiting < static_cast<std::size_t>(block_size::medium)) return block_size::medium;
  return block_size::large;
}

} // namespace

void byte_queue::push(bytes_view bytes) {
  while (!bytes.empty()) {
    if (head_ == pieces_.size() || pieces_.back().end == pieces_.back().memory.size())
      pieces_.push_back({block(next_block(size_ + bytes.size() - 1)), 0, 0});
    piece& last = pieces_.back();
    const std::size_t count = std::min(bytes.size(), last.memory.size() - last.end);
    std::memcpy(last.memory.span().data() + last.end, bytes.data(), count);
    last.end += count;
    size_ += count;
    bytes = bytes.subspan(count);
  }
}

bytes_view byte_queue::front() const noexcept {
  if (size_ == 0) return {};
  const piece& first = pieces_[head_];
  return first.memory.span().subspan(first.begin, first.end - first.begin);
}

void byte_queue::pop(std::size_t count) noexcept {
  assert(count <= front().size());
  if (count == 0) return;
  piece& first = pieces_[head_];
  first.begin += count;
  size_ -= count;
  if (first.begin < first.end) return;
  first.memory = block();
  ++head_;
  if (head_ == pieces_.size()) {
    pieces_.clear();
    head_ = 0;
  } else if (head_ >= 32) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

std::vector<std::byte> byte_queue::copy() const {
  std::vector<std::byte> all;
  all.reserve(size_);
  for (std::size_t i = head_; i < pieces_.size(); ++i) {
    const bytes_view part =
        pieces_[i].memory.span().subspan(pieces_[i].begin, pieces_[i].end - pieces_[i].begin);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

void byte_queue::keep_front() noexcept {
  if (size_ == 0) return;
  pieces_.resize(head_ + 1);
  size_ = front().size();
}

void byte_queue::clear() noexcept {
  pieces_.clear();
  pieces_.shrink_to_fit();
  head_ = 0;
  size_ = 0;
}

} // namespace gotunnel
