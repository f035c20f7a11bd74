#include "gotunnel/net/tcp_options.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace gotunnel::net {
namespace {

// Data unacknowledged for this long means that the path is dead: inside the 15 s in which a silent death must
// be found.
constexpr int carrier_unacknowledged_ms = 14'000;
// A visitor whose machine vanished is noticed after 60 s + 4 * 15 s instead of never.
constexpr int keepalive_idle_s = 60;
constexpr int keepalive_interval_s = 15;
constexpr int keepalive_probes = 4;

void set_option(int socket, int level, int name, int value) noexcept {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

} // namespace

void tune_near_tcp(int socket) noexcept {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, IPPROTO_TCP, TCP_INQ, 1);
  set_option(socket, SOL_SOCKET, SO_OOBINLINE, 1);
}

void tune_tcp(int socket) noexcept {
  tune_near_tcp(socket);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
}

void let_ack_wait(int socket) noexcept { set_option(socket, IPPROTO_TCP, TCP_QUICKACK, 0); }

void limit_segments(int socket, int bytes) noexcept { set_option(socket, IPPROTO_TCP, TCP_MAXSEG, bytes); }

void tune_carrier(int socket) noexcept {
  // The session asks as often as both sides want (-keepalive), and the greeting has a limit: probes of the
  // kernel would only cost.
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 0);
  set_option(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, carrier_unsent_bytes);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, carrier_unacknowledged_ms);
}

} // namespace gotunnel::net
