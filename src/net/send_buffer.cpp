#include "gotunnel/net/send_buffer.hpp"

#include <algorithm>
#include <array>

#include <linux/sock_diag.h>
#include <linux/tcp.h> // its tcp_info has what netinet/tcp.h lacks
#include <netinet/in.h>
#include <sys/socket.h>

namespace gotunnel::net {
namespace {

constexpr duration shortest_pause = 100us;
constexpr duration longest_pause = 10ms;

} // namespace

send_buffer send_buffer::of(int socket) noexcept {
  send_buffer found;
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof memory;
  if (::getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0) return found;
  found.size = memory[SK_MEMINFO_SNDBUF];
  found.taken = memory[SK_MEMINFO_WMEM_QUEUED];
  if (!found.filled_by_line()) return found; // the rest is dearer
  tcp_info info{};
  size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return send_buffer();
  found.unsent = info.tcpi_notsent_bytes;
  found.rate = info.tcpi_pacing_rate;
  found.queues =
      queues_stand(std::chrono::microseconds(info.tcpi_rtt), std::chrono::microseconds(info.tcpi_min_rtt));
  return found;
}

duration send_buffer::pause() const noexcept {
  if (rate == 0) return longest_pause;
  const auto drained =
      std::chrono::nanoseconds(carrier_unsent_bytes / 2 * std::uint64_t{1'000'000'000} / rate);
  return std::clamp<duration>(drained, shortest_pause, longest_pause);
}

} // namespace gotunnel::net
