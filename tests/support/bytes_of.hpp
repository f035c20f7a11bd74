// Bytes for tests: from hex, and from a seeded generator.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace gotunnel::testing {

/// Of a text in hex; blanks are skipped.
inline std::vector<std::byte> bytes_of_hex(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
  std::vector<std::byte> bytes(text.size() / 2);
  if (!from_hex(text, bytes)) throw std::invalid_argument("not hex");
  return bytes;
}

inline std::vector<std::byte> noise(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(generator());
  return bytes;
}

} // namespace gotunnel::testing
