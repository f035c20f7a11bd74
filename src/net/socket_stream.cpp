#include "gotunnel/net/socket_stream.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/last_error.hpp"
#include "gotunnel/net/move_socket.hpp"
#include "gotunnel/net/send_buffer.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include <algorithm>
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

// Written after the kernel has said that it can take something, before it is asked again: short messages are
// not worth a question each, and a batch that follows the question may be sixteen times as long.
constexpr std::size_t unasked = 16 * 1024;
// Read without a wait when the peer fills the socket as fast as we empty it. Then the other tasks of the
// worker have their turn.
constexpr std::size_t turn = 1024 * 1024;

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

struct received {
  ssize_t count = 0;
  bool more = false; ///< bytes or the end wait behind these
};

/// TCP_INQ tells of the end, too, and comes with the bytes (tcp(7); net/ipv4/tcp.c, tcp_inq_hint).
received receive_and_ask(int socket, bytes_span to) noexcept {
  iovec where{to.data(), to.size()};
  alignas(cmsghdr) std::byte said[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &where;
  message.msg_iovlen = 1;
  message.msg_control = said;
  message.msg_controllen = sizeof said;
  received got{::recvmsg(socket, &message, MSG_DONTWAIT)};
  const cmsghdr* const first = got.count > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (first == nullptr || first->cmsg_level != SOL_TCP || first->cmsg_type != TCP_CM_INQ) return got;
  int waiting = 0;
  std::memcpy(&waiting, CMSG_DATA(first), sizeof waiting);
  got.more = waiting > 0;
  return got;
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
    : socket_(std::move(socket)), peer_(std::move(peer)), use_(use) {
  if (use == purpose::carrier) tune_carrier(socket_.native_handle());
}

socket_stream::~socket_stream() { close(ending::abort); }

task<> socket_stream::wait_readable() {
  if (begin_ < end_ || ended_) co_return result<>();
  if (!socket_.is_open()) co_return errc::closed;
  if (failure_ != 0) co_return error_code(failure_, boost::system::system_category());
  if (!likely_readable_ || unwaited_ >= turn) {
    unwaited_ = 0;
    auto [ec] = co_await socket_.async_wait(any_socket::wait_read, token);
    if (ec) co_return ec;
    if (!socket_.is_open()) co_return errc::closed;
  }
  co_return result<>();
}

task<bytes_view> socket_stream::read() {
  for (;;) {
    if (begin_ < end_ || ended_) co_return lend();
    const auto ready = co_await wait_readable();
    if (!ready) co_return ready.error();
    lend_received();
  }
}

byte_source::taken socket_stream::take(bytes_span room) {
  std::size_t count = std::min(room.size(), end_ - begin_);
  if (count > 0) {
    std::copy_n(buffer_.span().data() + begin_, count, room.data());
    consume(count);
  } else if (!ended_ && failure_ == 0 && socket_.is_open()) {
    count = receive(room);
  }
  return {count, ended_ && begin_ == end_};
}

byte_source::next socket_stream::look() {
  if (begin_ < end_) return next::bytes;
  if (ended_) return next::end;
  if (failure_ != 0 || !socket_.is_open()) return next::failure;
  std::byte first;
  ssize_t count = 0;
  do count = ::recv(socket_.native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count > 0) return next::bytes;
  likely_readable_ = false;
  if (count == 0) {
    note_end();
    return ended_ ? next::end : next::failure;
  }
  if (would_block(errno)) return next::nothing;
  failure_ = errno; // the kernel tells it once
  return next::failure;
}

void socket_stream::lend_received() {
  block fresh(little_ ? block_size::small : use_ == purpose::carrier ? block_size::huge : block_size::large);
  const std::size_t filled = receive(fresh.span());
  begin_ = 0;
  end_ = filled;
  if (filled == 0) return;
  if (!little_ && filled <= static_cast<std::size_t>(block_size::small)) {
    // A few bytes may wait long for a slow peer: let them not hold a large block.
    buffer_ = block(block_size::small);
    std::memcpy(buffer_.span().data(), fresh.span().data(), filled);
  } else {
    buffer_ = std::move(fresh);
  }
}

/// What has come: bytes, the end behind them, or a failure.
std::size_t socket_stream::receive(bytes_span room) {
  const int from = socket_.native_handle();
  std::size_t filled = 0;
  bool more = false;
  do {
    const bytes_span rest = room.subspan(filled);
    const received got = use_ == purpose::carrier
                             ? received{::recv(from, rest.data(), rest.size(), MSG_DONTWAIT)}
                             : receive_and_ask(from, rest);
    const int error = errno;
    more = got.more;
    if (got.count > 0) filled += static_cast<std::size_t>(got.count);
    if (got.count == 0) note_end();
    if (got.count < 0 && error == EINTR)
      more = true;
    else if (got.count < 0 && !would_block(error))
      failure_ = error;
  } while (more && filled < room.size());
  likely_readable_ = filled == room.size();
  unwaited_ += filled;
  return filled;
}

/// Nothing more comes. The kernel tells a failure once: whoever comes after that finds what looks like an
/// end.
void socket_stream::note_end() {
  if (broken_)
    failure_ = ECONNRESET;
  else
    ended_ = true;
}

void socket_stream::consume(std::size_t count) {
  assert(count <= end_ - begin_);
  begin_ += count;
  if (begin_ == end_) buffer_ = block();
}

task<> socket_stream::send(bytes_view bytes, int flags) {
  struct count_until_done {
    std::size_t& written;
    ~count_until_done() { written = 0; }
  } const counted{written_};
  while (written_ < bytes.size()) {
    if (!socket_.is_open()) co_return errc::closed;
    const bytes_view rest = bytes.subspan(written_);
    const ssize_t count =
        ::send(socket_.native_handle(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT | flags);
    if (count >= 0) {
      const auto sent = static_cast<std::size_t>(count);
      slack_ -= std::min(slack_, sent);
      written_ += sent;
      continue;
    }
    if (errno == EINTR) continue;
    if (!would_block(errno)) {
      broken_ |= errno != EPIPE; // that we had shut it ourselves, or that it was told before
      co_return last_error();
    }
    if (use_ == purpose::carrier) {
      const auto room = co_await await_room(true);
      if (!room) co_return room.error();
    } else {
      auto [ec] = co_await socket_.async_wait(any_socket::wait_write, token);
      if (ec) co_return ec;
    }
  }
  co_return result<>();
}

/// Returns when the kernel calls the carrier writable, or takes more nevertheless. Whom it has just `refused`
/// it is not asked again before a pause.
task<> socket_stream::await_room(bool refused) {
  const int of = socket_.native_handle();
  for (auto buffer = send_buffer::of(of); buffer.filled_by_line(); buffer = send_buffer::of(of)) {
    mind_startup();
    if (!refused && buffer.takes_more()) co_return result<>();
    co_await sleep_for(buffer.pause());
    if (!socket_.is_open()) co_return errc::closed;
    refused = false;
  }
  auto [ec] = co_await socket_.async_wait(any_socket::wait_write, token);
  if (ec) co_return ec;
  co_return result<>();
}

void socket_stream::mind_startup() {
  const auto now = std::chrono::steady_clock::now();
  if (!startup_) startup_ = std::make_unique<bbr_startup>();
  if (!startup_->due(now)) return;
  const int of = socket_.native_handle();
  if (const auto limit = startup_->advise(bbr_startup::look(of), now))
    ::setsockopt(of, SOL_SOCKET, SO_MAX_PACING_RATE, &*limit, sizeof *limit);
}

task<> socket_stream::shut() {
  if (!socket_.is_open()) co_return errc::closed;
  // Both directions are over: a close says the same as shutdown() and a close. Unless what was read is still
  // on its way: another process may have to go on with that.
  if (ended_ && begin_ == end_)
    close(ending::graceful);
  else if (::shutdown(socket_.native_handle(), SHUT_WR) != 0 &&
           errno != ENOTCONN) // then nobody is left to be told
    co_return last_error();
  co_return result<>();
}

task<> socket_stream::write_last(bytes_view bytes) {
  // The kernel holds the last segment back for the FIN.
  const auto sent = co_await send(bytes, MSG_MORE);
  if (!sent) co_return sent.error();
  co_return co_await shut();
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

bool socket_stream::peer_left() {
  pollfd question{socket_.native_handle(), POLLRDHUP, 0};
  return !socket_.is_open() || ::poll(&question, 1, 0) == 1; // a failure is told unasked
}

void socket_stream::put_back(bytes_view bytes) {
  assert(begin_ == end_ && bytes.size() <= put_back_limit);
  if (bytes.empty()) return;
  buffer_ = block(block_size::large);
  std::copy(bytes.begin(), bytes.end(), buffer_.span().begin());
  begin_ = 0;
  end_ = bytes.size();
}

void socket_stream::leave() {
  if (!socket_.is_open()) return;
  error_code ignored;
  // Taken off the reactor first: closed, a descriptor of which another process has a copy would stay on it.
  const descriptor ours(socket_.release(ignored));
}

task<> socket_stream::wait_writable() {
  if (!socket_.is_open()) co_return errc::closed;
  if (startup_ && startup_->slowed()) mind_startup();
  if (slack_ > 0) co_return result<>();
  slack_ = unasked;
  pollfd question{socket_.native_handle(), POLLOUT, 0};
  if (::poll(&question, 1, 0) == 1) co_return result<>();
  co_return co_await await_room(false);
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
  socket_ = move_socket(where, std::move(socket_));
  return socket_.is_open();
}

} // namespace gotunnel::net
