// The two Go programs of this folder, as child processes of a test.
#pragma once

#include "support/child_process.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::testing {

/// Whitespace-separated flags, as one would type them.
[[nodiscard]] std::vector<std::string> words(std::string_view text);

/// One run of smux_peer. `flags` end with the scenario.
class smux_peer {
public:
  explicit smux_peer(std::string_view flags);

  /// The port it listens on; requires that it was started without -connect.
  [[nodiscard]] std::uint16_t port();
  /// True when it verified everything and left with 0. Otherwise the reason is in the test's log.
  [[nodiscard]] bool verified();
  /// The same without a message, for a run that must fail.
  [[nodiscard]] int exit_code();
  [[nodiscard]] child_process& process() noexcept { return process_; }

private:
  child_process process_;
};

[[nodiscard]] std::string seed_peer_path();

} // namespace gotunnel::testing
