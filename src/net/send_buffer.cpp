#include "gotunnel/net/send_buffer.hpp"

#include <array>
#include <cstdint>

#include <linux/sock_diag.h>
#include <linux/tcp.h> // its tcp_info has what is unsent
#include <netinet/in.h>
#include <sys/socket.h>

namespace gotunnel::net {

send_buffer send_buffer::of(int socket) noexcept {
  send_buffer found;
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof memory;
  if (::getsockopt(socket, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0) return found;
  found.size = memory[SK_MEMINFO_SNDBUF];
  found.taken = memory[SK_MEMINFO_WMEM_QUEUED];
  if (!found.filled_by_line()) return found; // nobody asks then, and the rest is dearer
  tcp_info info{};
  size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return send_buffer();
  found.unsent = info.tcpi_notsent_bytes;
  return found;
}

} // namespace gotunnel::net
