#include "gotunnel/net/bbr_startup.hpp"

#include "gotunnel/net/send_buffer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include <linux/inet_diag.h>
#include <linux/tcp.h> // its tcp_info has what netinet/tcp.h lacks
#include <netinet/in.h>
#include <sys/socket.h>

namespace gotunnel::net {
namespace {

// In units of 1/256 (tcp_bbr.c): start-up has 2.89 and every other phase 1.25 at most.
constexpr std::uint32_t starting_gain = 2 * 256;
// Some until the queues have drained and bytes wait, three for BBR to see that, and some to spare.
constexpr int slow_round_trips = 10;
constexpr duration least_slow = 200ms;
constexpr duration most_slow = 3s;
constexpr duration most_patience = 64s;

bool uses_bbr(int socket) noexcept {
  std::array<char, 16> name{}; // TCP_CA_NAME_MAX
  socklen_t size = name.size();
  return ::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size) == 0 &&
         std::string_view(name.data(), size).starts_with("bbr");
}

/// By BBR's own measure of a line that is full. On a line without queues start-up does no harm.
bool harmful(const bbr_startup::view& seen, bbr_startup::rate carried_before) noexcept {
  return seen.starting && carried_before > 0 && seen.carried < carried_before + carried_before / 4 &&
         queues_stand(seen.round_trip, seen.shortest);
}

} // namespace

std::optional<bbr_startup::view> bbr_startup::look(int socket) noexcept {
  if (!uses_bbr(socket)) return std::nullopt;
  tcp_cc_info control{};
  socklen_t size = sizeof control;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_CC_INFO, &control, &size) != 0 || size < sizeof(tcp_bbr_info))
    return std::nullopt;
  tcp_info info{};
  size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  const tcp_bbr_info& bbr = control.bbr;
  return view{.starting = bbr.bbr_pacing_gain > starting_gain,
              .carried = static_cast<rate>(std::uint64_t{bbr.bbr_bw_hi} << 32 | bbr.bbr_bw_lo),
              .round_trip = std::chrono::microseconds(info.tcpi_rtt),
              .shortest = std::chrono::microseconds(bbr.bbr_min_rtt)};
}

std::optional<bbr_startup::rate> bbr_startup::advise(const std::optional<view>& seen,
                                                     time_point now) noexcept {
  due_ = now + patience_;
  if (slowed_) {
    slowed_ = false;
    return unlimited;
  }
  const rate before = std::exchange(carried_before_, seen ? seen->carried : 0);
  if (!seen || !harmful(*seen, before)) return std::nullopt;
  slowed_ = true;
  patience_ = std::min(2 * patience_, most_patience);
  due_ = now + std::clamp(slow_round_trips * seen->shortest, least_slow, most_slow);
  return seen->carried / 8 * 7;
}

} // namespace gotunnel::net
