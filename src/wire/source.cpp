#include "gotunnel/wire/source.hpp"

#include <algorithm>

namespace gotunnel::wire {

source_key source_of(const ip_endpoint& address) noexcept {
  source_key key{};
  if (address.v6) {
    std::copy_n(address.ip.begin(), 8, key.begin());
  } else {
    // As IPv4-mapped: a /64 has zeros there, so the two families never share a key.
    key[10] = key[11] = std::byte{0xff};
    std::copy_n(address.ip.begin(), 4, key.begin() + 12);
  }
  return key;
}

std::optional<source_key> site_of(const ip_endpoint& address) noexcept {
  if (!address.v6) return std::nullopt;
  source_key key{};
  std::copy_n(address.ip.begin(), 6, key.begin());
  key[15] = std::byte{48}; // a /64 has zero there, an IPv4-mapped address 0xff in front of it
  return key;
}

} // namespace gotunnel::wire
