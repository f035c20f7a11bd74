// The books of windows, kept from the bytes on the wire alone: checks what we send against what the peer has
// granted.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace gotunnel::testing {

class credit_ledger {
public:
  /// What xtaci/smux assumes before the first UPD of a stream (stream.go, initialPeerWindow).
  static constexpr std::int64_t first_window = 262'144;

  /// What one stream of ours may send: smux counts modulo 2^32, so this serves streams below 2 GiB.
  struct account {
    std::int64_t sent = 0;
    std::int64_t consumed = 0;
    std::int64_t window = first_window;
    std::int64_t lowest = first_window; ///< the least credit there ever was: below 0 when the window shrank
    std::uint64_t updates = 0;

    [[nodiscard]] std::int64_t credit() const noexcept { return window - (sent - consumed); }
  };

  /// Feed in the order of the events: an UPD counts from the moment the core was given it.
  void inbound(bytes_view bytes);
  void outbound(bytes_view bytes);

  [[nodiscard]] const account& of(std::uint32_t id) const { return accounts_.at(id); }
  [[nodiscard]] std::int64_t sent(std::uint32_t id) const { return accounts_.contains(id) ? of(id).sent : 0; }
  /// PSH frames that went beyond the credit of their stream.
  [[nodiscard]] std::uint64_t violations() const noexcept { return violations_; }
  [[nodiscard]] std::uint64_t keepalives_sent() const noexcept { return keepalives_sent_; }

private:
  /// Cuts a byte stream into frames; of a payload only the first eight bytes matter.
  struct cutter {
    std::vector<std::byte> head;
    std::size_t skip = 0;

    template <class Frame>
    void cut(bytes_view bytes, Frame&& frame);
  };

  cutter in_;
  cutter out_;
  std::unordered_map<std::uint32_t, account> accounts_;
  std::uint64_t violations_ = 0;
  std::uint64_t keepalives_sent_ = 0;
};

} // namespace gotunnel::testing
