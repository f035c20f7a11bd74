// What one process hands to another on the same machine: bytes, and a descriptor that belongs to them.
//
//   auto [ours, theirs] = *parcel_socket::pair();       // theirs goes to the other process
//   ours.send(bytes, socket, 5s);                       // the descriptor stays ours as well
//   parcel got = *theirs.receive(5s);
//
// In order, and each as a whole. A parcel is its length (u64 little endian), a byte that says whether a
// descriptor comes with it (as SCM_RIGHTS, unix(7)), and its bytes: `parcel_limit` at most. The calls block:
// they are for a process that does nothing else meanwhile; readable() waits among other tasks.
// errc::timed_out when the limit passes, errc::end_of_stream when the other end is gone, errc::broken_frame
// when what comes is no parcel, too_many_files_open of the system when there is no room for the descriptor.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/task.hpp"

#include <utility>
#include <vector>

namespace gotunnel::net {

inline constexpr std::size_t parcel_limit = 256 * 1024 * 1024;

struct parcel {
  std::vector<std::byte> bytes;
  descriptor attached; ///< none when none was sent
};

class parcel_socket {
public:
  [[nodiscard]] static result<std::pair<parcel_socket, parcel_socket>> pair();
  /// Of a connected Unix stream socket.
  explicit parcel_socket(descriptor socket) noexcept : socket_(std::move(socket)) {}

  [[nodiscard]] result<> send(bytes_view bytes, duration limit, int attached = -1);
  [[nodiscard]] result<parcel> receive(duration limit);
  /// Whether something has come, be it the end, within the limit.
  [[nodiscard]] asio::awaitable<bool> readable(duration limit) const;

  [[nodiscard]] int handle() const noexcept { return socket_.get(); }
  [[nodiscard]] descriptor release() noexcept { return std::move(socket_); }

private:
  descriptor socket_;
};

} // namespace gotunnel::net
