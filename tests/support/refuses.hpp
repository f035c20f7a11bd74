// Whether, and how soon, nobody listens on a loopback port any more.
#pragma once

#include "support/elapsed.hpp"
#include "support/loopback.hpp"

#include <chrono>
#include <system_error>
#include <thread>

namespace gotunnel::testing {

inline bool refuses(std::uint16_t port) {
  try {
    const auto visitor = loopback_socket::connect(port);
  } catch (const std::system_error& e) {
    return e.code() == std::errc::connection_refused;
  }
  return false;
}

/// Connects to the port until it refuses: how many seconds that took, `limit` when it still answers then.
inline double seconds_until_refused(std::uint16_t port, double limit = 25) {
  const auto start = std::chrono::steady_clock::now();
  while (!refuses(port) && seconds_since(start) < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(1)); // the pace of the visitors, not a wait
  return seconds_since(start);
}

} // namespace gotunnel::testing
