// A connected socket for another worker than the one that it was made for.
//
// Nothing may wait on it. On the thread of its present worker; from then on it belongs to that of `where`.
#pragma once

#include "gotunnel/base/error.hpp"
#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/task.hpp"

#include <utility>

namespace gotunnel::net {

/// Not open when it could not be moved; the connection is closed then.
template <class Socket>
[[nodiscard]] Socket move_socket(const executor& where, Socket socket) {
  if (socket.get_executor() == where) return socket;
  error_code ec;
  const auto protocol = socket.local_endpoint(ec).protocol();
  Socket moved(where);
  if (ec) return moved;
  descriptor held(socket.release(ec));
  if (!ec) moved.assign(protocol, held.get(), ec);
  if (!ec) static_cast<void>(held.release());
  return moved;
}

} // namespace gotunnel::net
