// What a fuzzer gives, read from the front.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <algorithm>
#include <cstdlib>

namespace gotunnel::testing {

/// Also where asserts are off.
inline void require(bool holds) {
  if (!holds) std::abort();
}

class fuzz_input {
public:
  explicit fuzz_input(bytes_view all) noexcept : rest_(all) {}

  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  /// As many bytes, or those that are left.
  bytes_view take(std::size_t count) noexcept {
    const bytes_view taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// One byte; 0 when the input is used up.
  unsigned next() noexcept {
    const bytes_view byte = take(1);
    return byte.empty() ? 0 : std::to_integer<unsigned>(byte.front());
  }

private:
  bytes_view rest_;
};

} // namespace gotunnel::testing
