// What TCP sockets are told once, when they are made.
//
// net/tcp tells listeners and dialled sockets; what a listener accepts inherits it, which spares every
// visitor the calls. All of it tunes: a kernel that refuses an option still carries the bytes.
#pragma once

#include <cstddef>

namespace gotunnel::net {

/// Unsent bytes from which on the kernel takes no more of a carrier (it calls it writable below half of
/// them): what an interactive frame waits behind.
inline constexpr std::size_t carrier_unsent_bytes = 128 * 1024;

/// Bytes of a segment that passes where large packets get lost: below the least MTU of IPv6 (1,280, RFC
/// 8200).
inline constexpr int small_segment = 1200;
/// What every host takes (RFC 9293, 3.7.1).
inline constexpr int smallest_segment = 536;

/// NODELAY, keepalive, TCP_INQ: a read tells whether more is there; and SO_OOBINLINE: an urgent byte (FTP's
/// ABOR, telnet's interrupt) is read in its place with the others, and not dropped.
void tune_tcp(int socket) noexcept;
/// The same for a connection to this very machine, whose other end cannot vanish without a word.
void tune_near_tcp(int socket) noexcept;
/// Before it connects, when bytes are there to be sent: the ACK that ends the handshake goes with them.
void let_ack_wait(int socket) noexcept;
/// Before it connects: neither side sends larger segments.
void limit_segments(int socket, int bytes) noexcept;
/// On top of it: a short standing queue (TCP_NOTSENT_LOWAT), a limit on unacknowledged data
/// (TCP_USER_TIMEOUT, RFC 5482), and no keepalive of the kernel's.
void tune_carrier(int socket) noexcept;

} // namespace gotunnel::net
