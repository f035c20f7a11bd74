// PROXY protocol version 2: who the visitor is, ahead of a data stream's bytes. Sans-IO.
//
// Follows haproxy's proxy-protocol.txt, section 2.2. We write TCP over IPv4 or IPv6 with one TLV:
// PP2_TYPE_MIN_CUSTOM (0xE0), the id of the bind that the visitor came through, u64 big endian. We read any
// valid v2 header up to 1 KiB and skip TLVs that we do not know. A header of command LOCAL, or of family
// UNSPEC, has no addresses.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/wire/address.hpp"

#include <optional>
#include <vector>

namespace gotunnel::wire {

inline constexpr std::size_t proxy_header_limit = 1024;

struct proxy_header {
  struct addresses {
    ip_endpoint source;      ///< the visitor
    ip_endpoint destination; ///< the public address that the visitor dialled
    friend bool operator==(const addresses&, const addresses&) = default;
  };
  std::optional<addresses> peer;
  std::optional<std::uint64_t> service; ///< id of the bind

  friend bool operator==(const proxy_header&, const proxy_header&) = default;
};

/// Appends the header. When source and destination differ in family, both are written as IPv6 (IPv4-mapped).
void encode(const proxy_header& header, std::vector<std::byte>& to);

/// The outcome of looking at the first bytes of a stream.
struct proxy_header_read {
  proxy_header header;
  std::size_t size = 0; ///< bytes that the header took
};

/// Looks at all bytes that have come so far. Nothing: need more. broken_frame or limit_exceeded: not a header
/// we accept.
[[nodiscard]] result<std::optional<proxy_header_read>> read_proxy_header(bytes_view bytes);

} // namespace gotunnel::wire
