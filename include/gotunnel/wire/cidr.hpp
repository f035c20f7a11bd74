// Networks as people write them, `10.0.0.0/8,2001:db8::/32,192.0.2.7`: who may come, and who may not.
//
//   parsed<cidr_set> set = cidr_set::parse(text);
//   if (!set.permits(to_wire(peer))) ...
//
// A network is an address with a prefix length, or an address alone. IPv4-mapped IPv6 networks of 96 bits or
// more (`::ffff:10.0.0.0/104`) mean the IPv4 network, as an ip_endpoint keeps such addresses as IPv4. Bits
// behind the prefix must be zero: `10.0.0.7/8` is more likely a slip than a way to say 10.0.0.0/8. At most
// `limit` networks. A set that was never parsed permits everybody. No clock, no socket, no name is resolved.
#pragma once

#include "gotunnel/wire/address.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::wire {

class cidr_set {
public:
  static constexpr std::size_t limit = 1024;

  /// A failure is a sentence for the user, without the option's name.
  [[nodiscard]] static parsed<cidr_set> parse(std::string_view text);

  [[nodiscard]] bool permits(const ip_endpoint& who) const noexcept;
  /// As it may be parsed again; empty for everybody.
  [[nodiscard]] std::string to_string() const;

private:
  struct network {
    bool v6 = false;
    std::array<std::byte, 16> ip{};
    int bits = 0;
  };

  [[nodiscard]] static std::string read(std::string_view text, network& to);
  [[nodiscard]] static std::string to_string(const network& each);

  std::vector<network> networks_;
};

} // namespace gotunnel::wire
