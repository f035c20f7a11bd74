#include "gotunnel/base/block_pool.hpp"

#include <array>
#include <cstdlib>
#include <new>
#include <vector>

namespace gotunnel {
namespace {

// Kept per thread for reuse: enough for a busy worker, 4.2 MiB at most, 0 until first used.
constexpr std::array<std::pair<std::size_t, std::size_t>, 4> classes{{
    {static_cast<std::size_t>(block_size::small), 64},
    {static_cast<std::size_t>(block_size::medium), 16},
    {static_cast<std::size_t>(block_size::large), 24},
    {static_cast<std::size_t>(block_size::huge), 8},
}};

std::size_t class_of(std::size_t size) noexcept {
  std::size_t which = 0;
  while (classes[which].first != size) ++which;
  return which;
}

struct free_lists {
  std::array<std::vector<std::byte*>, classes.size()> lists;

  free_lists() {
    for (std::size_t i = 0; i < classes.size(); ++i) lists[i].reserve(classes[i].second);
  }
  ~free_lists() { clear(); }

  void clear() noexcept {
    for (auto& list : lists) {
      for (std::byte* data : list) std::free(data);
      list.clear();
    }
  }
};

free_lists& pool() {
  thread_local free_lists instance;
  return instance;
}

} // namespace

block::block(block_size size) : size_(static_cast<std::size_t>(size)) {
  auto& list = pool().lists[class_of(size_)];
  if (!list.empty()) {
    data_ = list.back();
    list.pop_back();
    return;
  }
  data_ = static_cast<std::byte*>(std::malloc(size_));
  if (data_ == nullptr) throw std::bad_alloc();
}

block::~block() {
  if (data_ == nullptr) return;
  const std::size_t which = class_of(size_);
  auto& list = pool().lists[which];
  if (list.size() < classes[which].second)
    list.push_back(data_);
  else
    std::free(data_);
}

void return_pooled_blocks() noexcept { pool().clear(); }

} // namespace gotunnel
