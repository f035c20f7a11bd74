// Whom an address belongs to: an IPv4 address, or an IPv6 /64, the least that a single customer gets. A site
// is an IPv6 /48, which a customer gets as easily.
//
// What is limited or remembered by source cannot be escaped by changing ports, or addresses of one network.
#pragma once

#include "gotunnel/wire/address.hpp"

#include <optional>

namespace gotunnel::wire {

using source_key = std::array<std::byte, 16>;

[[nodiscard]] source_key source_of(const ip_endpoint& address) noexcept;
/// None of an IPv4 address. Differs from every key of a source.
[[nodiscard]] std::optional<source_key> site_of(const ip_endpoint& address) noexcept;

} // namespace gotunnel::wire
