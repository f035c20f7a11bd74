#include "gotunnel/net/parcel.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/last_error.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

namespace gotunnel::net {
namespace {

constexpr std::size_t head_size = sizeof(std::uint64_t) + 1;
// Given memory only as it comes: what a length promises may be a lie.
constexpr std::size_t step = 1024 * 1024;

time_point now() { return std::chrono::steady_clock::now(); }

/// Waits until the socket is ready for `events`, or until `until`.
result<> await(int socket, short events, time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now());
    if (left <= 0ms) return errc::timed_out;
    pollfd question{socket, events, 0};
    const int ready = ::poll(&question, 1, static_cast<int>(left.count()));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return last_error();
  }
}

/// How a call on the socket failed, when that is for good.
result<> wait_out(int socket, short events, time_point until) {
  if (errno == EINTR) return {};
  if (errno != EAGAIN && errno != EWOULDBLOCK) return last_error();
  return await(socket, events, until);
}

/// Room for one descriptor beside a message, and the message's header.
struct message {
  explicit message(std::span<std::byte> bytes) : piece{bytes.data(), bytes.size()} {
    head.msg_iov = &piece;
    head.msg_iovlen = 1;
  }
  message(const message&) = delete;
  message& operator=(const message&) = delete;

  void attach(int number) {
    offer_room();
    cmsghdr* const said = CMSG_FIRSTHDR(&head);
    said->cmsg_level = SOL_SOCKET;
    said->cmsg_type = SCM_RIGHTS;
    said->cmsg_len = CMSG_LEN(sizeof number);
    std::memcpy(CMSG_DATA(said), &number, sizeof number);
  }
  void offer_room() {
    head.msg_control = room.data();
    head.msg_controllen = room.size();
  }
  [[nodiscard]] descriptor attached() {
    cmsghdr* const said = CMSG_FIRSTHDR(&head);
    if (said == nullptr || said->cmsg_level != SOL_SOCKET || said->cmsg_type != SCM_RIGHTS) return {};
    int number = -1;
    std::memcpy(&number, CMSG_DATA(said), sizeof number);
    return descriptor(number);
  }

  iovec piece;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> room{};
  msghdr head{};
};

/// All of `bytes`, the descriptor with the first of them.
result<> send_all(int socket, bytes_view bytes, int attached, time_point until) {
  while (!bytes.empty()) {
    // sendmsg() takes what it only reads as writable.
    message next({const_cast<std::byte*>(bytes.data()), bytes.size()});
    if (attached >= 0) next.attach(attached);
    const ssize_t count = ::sendmsg(socket, &next.head, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      // Too many descriptors are on their way: the other end takes them out one after the other.
      if (errno == ETOOMANYREFS) errno = EAGAIN;
      if (errno == EPIPE) return errc::end_of_stream;
      if (const auto again = wait_out(socket, POLLOUT, until); !again) return again;
      continue;
    }
    attached = -1;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

/// Fills `to`; `attached` is what came with it.
result<> receive_all(int socket, bytes_span to, descriptor* attached, time_point until) {
  while (!to.empty()) {
    message next(to);
    if (attached != nullptr) next.offer_room();
    const ssize_t count = ::recvmsg(socket, &next.head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count == 0) return errc::end_of_stream;
    if (count < 0) {
      if (errno == ECONNRESET) return errc::end_of_stream;
      if (const auto again = wait_out(socket, POLLIN, until); !again) return again;
      continue;
    }
    if ((next.head.msg_flags & MSG_CTRUNC) != 0)
      return make_error_code(
          boost::system::errc::too_many_files_open); // of this process, for the one that came
    if (attached != nullptr)
      if (descriptor came = next.attached()) *attached = std::move(came);
    to = to.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

} // namespace

result<std::pair<parcel_socket, parcel_socket>> parcel_socket::pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return last_error();
  return std::pair(parcel_socket(descriptor(ends[0])), parcel_socket(descriptor(ends[1])));
}

result<> parcel_socket::send(bytes_view bytes, duration limit, int attached) {
  const time_point until = now() + limit;
  std::array<std::byte, head_size> head;
  store_le64(head, bytes.size());
  head.back() = std::byte{attached >= 0};
  if (const auto sent = send_all(socket_.get(), head, attached, until); !sent) return sent;
  return send_all(socket_.get(), bytes, -1, until);
}

result<parcel> parcel_socket::receive(duration limit) {
  const time_point until = now() + limit;
  parcel got;
  std::array<std::byte, head_size> head;
  if (const auto came = receive_all(socket_.get(), head, &got.attached, until); !came) return came.error();
  const std::uint64_t size = load_le64(head);
  if (size > parcel_limit || (head.back() != std::byte{0}) != static_cast<bool>(got.attached))
    return errc::broken_frame;
  while (got.bytes.size() < size) {
    const std::size_t before = got.bytes.size();
    got.bytes.resize(before + std::min<std::size_t>(static_cast<std::size_t>(size) - before, step));
    const bytes_span fresh = bytes_span{got.bytes}.subspan(before);
    if (const auto came = receive_all(socket_.get(), fresh, nullptr, until); !came) return came.error();
  }
  return got;
}

asio::awaitable<bool> parcel_socket::readable(duration limit) const {
  const executor where = co_await asio::this_coro::executor;
  asio::posix::stream_descriptor watched(where, socket_.get());
  deadline late(where, limit, [&watched] { watched.cancel(); });
  auto [ec] = co_await watched.async_wait(asio::posix::stream_descriptor::wait_read, token);
  static_cast<void>(watched.release());
  co_return !ec;
}

} // namespace gotunnel::net
