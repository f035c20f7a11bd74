// Bytes that TLS wants to say on its own account, until the driver takes them: handshake messages, alerts,
// key updates. Bounded: a peer that demands answers and does not take them cannot make it grow. One thread.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace gotunnel::crypto {

class record_output {
public:
  /// Two or three flights of a handshake are 4 KiB, a key update 27 bytes.
  static constexpr std::size_t limit = 64 * 1024;

  /// False, and nothing is kept, when it would be too much.
  [[nodiscard]] bool put(bytes_view bytes) {
    if (bytes.size() > limit - std::min(limit, size())) return false;
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return true;
  }

  /// Moves what fits into `to`; how many bytes.
  std::size_t take(bytes_span to) noexcept {
    const std::size_t n = std::min(to.size(), size());
    if (n == 0) return 0;
    std::memcpy(to.data(), bytes_.data() + taken_, n);
    taken_ += n;
    if (taken_ == bytes_.size()) {
      bytes_ = {}; // gives the memory of the handshake back
      taken_ = 0;
    }
    return n;
  }

  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - taken_; }

private:
  std::vector<std::byte> bytes_;
  std::size_t taken_ = 0;
};

} // namespace gotunnel::crypto
