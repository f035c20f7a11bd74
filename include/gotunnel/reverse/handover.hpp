// The conversation in which one server process hands over to the next: over net/parcel, one record
// (base/record) a parcel, whose first byte says what it is.
//
//   next -> former   ready     format u32, process id u32: it could begin to serve
//   former -> next   door      the listener of the tunnel port
//                    listener  a further one of the port u16, or of the tunnel port when that is 0
//                    session   all of a client but its visitors
//                    port      its holders by session id, with its listener if it is listened on
//                    visitor   session id, service, address, both directions; with its socket
//                    end       how many of each
//   next -> former   taken     all of that is in place
//   former -> next   go        from now on it is the next one's; sent, it cannot be taken back
//
// The next one ends the conversation when it serves, and can be asked itself.
//
// All sessions come first, then ports, then visitors. A further listener follows the first of its port: there
// is one where -listen or -bind is a name with several addresses, which former versions did not know. The
// former process moves nothing from `door` to `go`, for handover_limit at most: less than a peer's patience
// with its silence. A conversation that ends earlier changes nothing for it: it goes on as if there had been
// none.
#pragma once

#include "gotunnel/base/record.hpp"
#include "gotunnel/net/parcel.hpp"

#include <cstdint>

namespace gotunnel::reverse {

inline constexpr std::uint32_t handover_format = 1;

enum class handover_part : std::uint8_t { ready = 1, door, session, port, visitor, end, taken, go, listener };

/// How long the former process stands still for the next one at most. The shortest patience is that of
/// original peers, who may hear nothing for 10 s as it is, and give up after 14 s.
inline constexpr duration handover_limit = 3s;

struct handover_totals {
  std::uint64_t sessions = 0;
  std::uint64_t ports = 0;
  std::uint64_t visitors = 0;

  friend bool operator==(const handover_totals&, const handover_totals&) = default;
};

/// What a former process knows once it has let go.
struct handover_receipt {
  handover_totals given;
  std::uint32_t successor = 0; ///< process id
};

/// A record of that kind, to be gone on with.
[[nodiscard]] record_writer begin_part(handover_part part);
/// The next parcel, which is of that kind; errc::broken_frame when it is of another.
[[nodiscard]] result<net::parcel> expect_part(net::parcel_socket& from, handover_part part, duration limit);
/// What is behind the kind.
[[nodiscard]] record_reader reader_of(const net::parcel& parcel);

} // namespace gotunnel::reverse
