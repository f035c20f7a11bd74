#include "gotunnel/base/memory_budget.hpp"

#include <algorithm>

namespace gotunnel {
namespace {

constexpr std::uint64_t largest_batch = 64 * 1024;
// What all shares together keep to themselves stays a small part of the limit.
constexpr std::uint64_t batches_a_part = 16;

} // namespace

memory_budget& memory_budget::of_process() noexcept {
  static memory_budget instance;
  return instance;
}

memory_budget::share::share(memory_budget& of) noexcept : of_(of) {
  of_.shares_.fetch_add(1, std::memory_order_relaxed);
}

memory_budget::share::~share() {
  of_.waiting_.fetch_sub(reported_, std::memory_order_relaxed);
  of_.shares_.fetch_sub(1, std::memory_order_relaxed);
}

void memory_budget::share::report(std::uint64_t bytes) noexcept {
  if (bytes == reported_) return;
  const std::uint64_t difference = bytes > reported_ ? bytes - reported_ : reported_ - bytes;
  const bool worthwhile =
      bytes == 0 || difference >= largest_batch || difference >= equal_part() / batches_a_part;
  if (!worthwhile) return;
  // The difference may be negative: unsigned arithmetic comes to the same.
  of_.waiting_.fetch_add(bytes - reported_, std::memory_order_relaxed);
  reported_ = bytes;
}

std::uint64_t memory_budget::share::equal_part() const noexcept {
  const std::uint64_t limit = of_.limit();
  if (limit == 0) return unlimited;
  return limit / std::max<std::uint64_t>(of_.shares_.load(std::memory_order_relaxed), 1);
}

std::uint64_t memory_budget::share::allowance() const noexcept {
  const std::uint64_t limit = of_.limit();
  if (limit == 0) return unlimited;
  const std::uint64_t waiting = of_.waiting();
  return std::max(equal_part(), limit > waiting ? limit - waiting : 0);
}

bool memory_budget::share::tight() const noexcept {
  const std::uint64_t limit = of_.limit();
  return limit != 0 && of_.waiting() > limit / 2;
}

} // namespace gotunnel
