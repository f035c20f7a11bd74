#include "gotunnel/net/socket_stream.hpp"

#include "gotunnel/net/last_error.hpp"
#include "gotunnel/net/move_socket.hpp"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <optional>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace gotunnel::net {
namespace {

// Unsent bytes that the kernel may hold before it calls the carrier writable: what an interactive frame waits
// behind.
constexpr int carrier_unsent_bytes = 128 * 1024;
// Read from a visitor at once: what one frame between two gotunnels carries (wire/smux_frame.hpp).
constexpr std::size_t visitor_read = 64 * 1024 - 8;
// Data unacknowledged for this long means that the path is dead: inside the 15 s in which a silent death must
// be found.
constexpr int carrier_unacknowledged_ms = 14'000;
// A visitor whose machine vanished is noticed after 60 s + 4 * 15 s instead of never.
constexpr int keepalive_idle_s = 60;
constexpr int keepalive_interval_s = 15;
constexpr int keepalive_probes = 4;

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

void set_option(int socket, int level, int name, int value) noexcept {
  // Options tune; a kernel that refuses one (or a Unix socket) still carries the bytes.
  ::setsockopt(socket, level, name, &value, sizeof value);
}

void tune(int socket, socket_stream::purpose use) noexcept {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  if (use == socket_stream::purpose::visitor) return;
  set_option(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, carrier_unsent_bytes);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, carrier_unacknowledged_ms);
}

std::optional<tcp_info> tcp_facts(const any_socket& of) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  auto& socket = const_cast<any_socket&>(of); // native_handle() is not const in Asio
  if (::getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return info;
}

} // namespace

socket_stream::socket_stream(any_socket socket, purpose use, std::string peer)
    : socket_(std::move(socket)), peer_(std::move(peer)),
      read_block_(use == purpose::carrier ? block_size::huge : block_size::large),
      read_limit_(use == purpose::carrier ? static_cast<std::size_t>(block_size::huge) : visitor_read) {
  error_code ignored;
  socket_.native_non_blocking(true, ignored);
  tune(socket_.native_handle(), use);
}

socket_stream::~socket_stream() { close(ending::abort); }

task<bytes_view> socket_stream::read() {
  if (begin_ < end_) co_return bytes_view(buffer_.span().subspan(begin_, end_ - begin_));
  for (;;) {
    if (!socket_.is_open()) co_return errc::closed;
    if (!likely_readable_) {
      auto [ec] = co_await socket_.async_wait(any_socket::wait_read, token);
      if (ec) co_return ec;
      if (!socket_.is_open()) co_return errc::closed;
    }
    block fresh(read_block_);
    const ssize_t count = ::recv(socket_.native_handle(), fresh.span().data(), read_limit_, 0);
    if (count == 0) co_return bytes_view();
    if (count < 0) {
      const int error = errno;
      likely_readable_ = false;
      if (would_block(error) || error == EINTR) continue;
      co_return error_code(error, boost::system::system_category());
    }
    begin_ = 0;
    end_ = static_cast<std::size_t>(count);
    likely_readable_ = end_ == read_limit_;
    if (end_ <= static_cast<std::size_t>(block_size::small)) {
      // A few bytes may wait long for a slow peer: let them not hold a large block.
      buffer_ = block(block_size::small);
      std::memcpy(buffer_.span().data(), fresh.span().data(), end_);
    } else {
      buffer_ = std::move(fresh);
    }
    co_return bytes_view(buffer_.span().first(end_));
  }
}

void socket_stream::consume(std::size_t count) {
  assert(count <= end_ - begin_);
  begin_ += count;
  if (begin_ == end_) buffer_ = block();
}

task<> socket_stream::write(bytes_view bytes) {
  while (!bytes.empty()) {
    if (!socket_.is_open()) co_return errc::closed;
    const ssize_t count = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (!would_block(errno)) co_return last_error();
    auto [ec] = co_await socket_.async_wait(any_socket::wait_write, token);
    if (ec) co_return ec;
  }
  co_return result<>();
}

task<> socket_stream::shut() {
  if (!socket_.is_open()) co_return errc::closed;
  if (::shutdown(socket_.native_handle(), SHUT_WR) != 0) co_return last_error();
  co_return result<>();
}

void socket_stream::close(ending how) {
  if (!socket_.is_open()) return;
  if (how == ending::abort) {
    const linger at_once{1, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  error_code ignored;
  socket_.close(ignored);
}

task<> socket_stream::wait_writable() {
  if (!socket_.is_open()) co_return errc::closed;
  pollfd question{socket_.native_handle(), POLLOUT, 0};
  if (::poll(&question, 1, 0) == 1) co_return result<>();
  auto [ec] = co_await socket_.async_wait(any_socket::wait_write, token);
  if (ec) co_return ec;
  co_return result<>();
}

duration socket_stream::round_trip() const {
  const auto known = tcp_facts(socket_);
  return known ? std::chrono::microseconds(known->tcpi_rtt) : duration::zero();
}

bool socket_stream::heard_within(duration limit) const {
  error_code ec;
  if (socket_.available(ec) > 0 && !ec) return true; // whoever asks has not had the time to read
  const auto known = tcp_facts(socket_);
  return known && std::chrono::milliseconds(known->tcpi_last_ack_recv) < limit;
}

bool socket_stream::move_to(const executor& where) {
  if (begin_ < end_ || !socket_.is_open()) return false;
  any_socket moved = move_socket(where, std::move(socket_));
  error_code ec = asio::error::bad_descriptor;
  if (moved.is_open()) moved.native_non_blocking(true, ec);
  if (ec) return false;
  socket_ = std::move(moved);
  return true;
}

} // namespace gotunnel::net
