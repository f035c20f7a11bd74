#include "e2e/bulk.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace gotunnel::testing {

std::string pattern::next(std::size_t size) {
  const std::uint64_t first = at_ / 8;
  const std::uint64_t last = (at_ + size + 7) / 8;
  std::vector<std::uint64_t> words(last - first);
  for (std::uint64_t i = first; i < last; ++i) words[i - first] = (i + seed_) * 0x9E3779B97F4A7C15u;
  std::string bytes(size, '\0');
  std::memcpy(bytes.data(), reinterpret_cast<const char*>(words.data()) + at_ % 8, size);
  at_ += size;
  return bytes;
}

void send_pattern(const loopback_socket& to, std::size_t size, std::uint64_t seed) {
  pattern source(seed);
  while (size > 0) {
    const std::size_t piece = std::min<std::size_t>(size, 64UL * 1024);
    to.write(source.next(piece));
    size -= piece;
  }
}

std::size_t receive_pattern(const loopback_socket& from, std::uint64_t seed) {
  pattern expected(seed);
  std::size_t right = 0;
  std::array<char, 64UL * 1024> piece;
  for (;;) {
    const ssize_t count = ::recv(from.descriptor(), piece.data(), piece.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return right;
    if (!expected.matches({piece.data(), static_cast<std::size_t>(count)})) return right;
    right += static_cast<std::size_t>(count);
  }
}

void reset(const loopback_socket& socket) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  ::connect(socket.descriptor(), &nobody, sizeof nobody);
}

how ends(const loopback_socket& socket, std::chrono::milliseconds limit) {
  socket.limit(limit);
  std::array<char, 64UL * 1024> piece;
  for (;;) {
    const ssize_t count = ::recv(socket.descriptor(), piece.data(), piece.size(), 0);
    if (count > 0 || (count < 0 && errno == EINTR)) continue;
    if (count == 0) return how::fin;
    return errno == ECONNRESET || errno == EPIPE ? how::rst : how::not_yet;
  }
}

} // namespace gotunnel::testing
