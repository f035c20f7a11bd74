// How long a test has waited so far.
#pragma once

#include <chrono>

namespace gotunnel::testing {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace gotunnel::testing
