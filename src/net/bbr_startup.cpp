#include "gotunnel/net/bbr_startup.hpp"

#include <algorithm>

#include <linux/inet_diag.h>
#include <linux/tcp.h> // its tcp_info has what netinet/tcp.h lacks
#include <netinet/in.h>
#include <sys/socket.h>

namespace gotunnel::net {
namespace {

// In units of 1/256 (tcp_bbr.c): start-up has 2.89 and every other phase 1.25 at most.
constexpr std::uint32_t starting_gain = 2 * 256;
// For what started three round trips before the last one was slowed down.
constexpr int slow_round_trips = 10;
constexpr duration least_slow = 200ms;
constexpr duration most_slow = 3s;
constexpr duration most_patience = 64s;

/// Also false of a line without queues, which start-up does not harm.
bool harmful(const bbr_startup::view& seen) noexcept {
  return seen.starting && seen.carried > 0 && seen.round_trip > seen.shortest + seen.shortest / 4;
}

} // namespace

std::optional<bbr_startup::view> bbr_startup::look(int socket) noexcept {
  tcp_cc_info control{};
  socklen_t size = sizeof control;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_CC_INFO, &control, &size) != 0 || size != sizeof(tcp_bbr_info))
    return std::nullopt;
  tcp_info info{};
  size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  const tcp_bbr_info& bbr = control.bbr;
  return view{.starting = bbr.bbr_pacing_gain > starting_gain,
              .carried = rate{bbr.bbr_bw_hi} << 32 | bbr.bbr_bw_lo,
              .round_trip = std::chrono::microseconds(info.tcpi_rtt),
              .shortest = std::chrono::microseconds(bbr.bbr_min_rtt)};
}

std::optional<bbr_startup::rate> bbr_startup::advise(const std::optional<view>& seen,
                                                     time_point now) noexcept {
  if (slowed_) {
    slowed_ = false;
    due_ = now + patience_;
    return unlimited;
  }
  if (!seen || !harmful(*seen)) {
    due_ = now + patience_;
    return std::nullopt;
  }
  slowed_ = true;
  patience_ = std::min(2 * patience_, most_patience);
  due_ = now + std::clamp(slow_round_trips * seen->shortest, least_slow, most_slow);
  return seen->carried / 8 * 7;
}

} // namespace gotunnel::net
