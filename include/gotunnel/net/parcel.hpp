// What one process hands to another: bytes, and the descriptors that belong to them.
#pragma once

#include "gotunnel/net/descriptor.hpp"

#include <cstddef>
#include <vector>

namespace gotunnel::net {

struct parcel {
  std::vector<std::byte> bytes;
  std::vector<descriptor> descriptors;
};

} // namespace gotunnel::net
