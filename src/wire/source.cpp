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

} // namespace gotunnel::wire
