// Addresses as people write them and as frames carry them; no name is resolved here.
//
// Text forms: `host:port`, `1.2.3.4:port`, `[::1]:port`, `:port`, `port`, `unix:/path`. Ports are 0..65535.
// A parse failure is a sentence for the user: what is wrong with the text, without naming the option.
#pragma once

#include "gotunnel/base/bytes.hpp"

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gotunnel::wire {

/// A host name or literal address (without brackets; empty = all addresses) and a port.
struct host_port {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const host_port&, const host_port&) = default;
};

/// Path of a Unix domain socket.
struct unix_path {
  std::string path;

  friend bool operator==(const unix_path&, const unix_path&) = default;
};

/// Either a value or the reason why the text is none.
template <class T>
using parsed = std::variant<T, std::string>;

/// `host:port` or `[v6]:port`; the host must not be empty, the port not 0.
[[nodiscard]] parsed<host_port> parse_peer(std::string_view text);
/// `port`, `:port`, `host:port`, `[v6]:port`; port 0 lets the kernel choose.
[[nodiscard]] parsed<host_port> parse_listen(std::string_view text);
/// What a client dials for a visitor: as parse_peer, or `unix:/path` (absolute or relative, at most 107
/// bytes).
[[nodiscard]] parsed<std::variant<host_port, unix_path>> parse_target(std::string_view text);

[[nodiscard]] std::string to_string(const host_port& address);
[[nodiscard]] std::string to_string(const std::variant<host_port, unix_path>& target);

/// `1024-65535,80,443`: the public ports that clients may ask for.
class port_set {
public:
  [[nodiscard]] static parsed<port_set> parse(std::string_view text);
  [[nodiscard]] bool contains(std::uint16_t port) const noexcept;
  [[nodiscard]] bool any_below(std::uint16_t port) const noexcept;
  [[nodiscard]] std::string to_string() const;

private:
  struct range {
    std::uint16_t first, last;
  };
  std::vector<range> ranges_;
};

/// A socket address as bytes: 4 or 16 of `ip` are meant. IPv4-mapped IPv6 addresses are stored as IPv4.
struct ip_endpoint {
  bool v6 = false;
  std::array<std::byte, 16> ip{};
  std::uint16_t port = 0;

  friend bool operator==(const ip_endpoint&, const ip_endpoint&) = default;
};

} // namespace gotunnel::wire
