// Whether nobody listens on a loopback port any more.
#pragma once

#include "support/loopback.hpp"

#include <system_error>

namespace gotunnel::testing {

inline bool refuses(std::uint16_t port) {
  try {
    const auto visitor = loopback_socket::connect(port);
  } catch (const std::system_error& e) {
    return e.code() == std::errc::connection_refused;
  }
  return false;
}

} // namespace gotunnel::testing
