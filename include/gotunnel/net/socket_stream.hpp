// A connected TCP or Unix socket as a stream.
//
// Reads wait for readiness first and borrow a block only when bytes are there, so an idle connection holds no
// buffer. Writes go to the kernel directly and wait only when it is full. TCP sockets get NODELAY and
// keepalive; `carrier` sockets also get a short standing queue (TCP_NOTSENT_LOWAT) and a limit on
// unacknowledged data (TCP_USER_TIMEOUT, RFC 5482).
#pragma once

#include "gotunnel/base/block_pool.hpp"
#include "gotunnel/net/stream.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

namespace gotunnel::net {

using any_socket = asio::generic::stream_protocol::socket;

class socket_stream final : public stream {
public:
  enum class purpose { visitor, carrier };

  socket_stream(any_socket socket, purpose use, std::string peer);
  ~socket_stream() override;

  task<bytes_view> read() override;
  void consume(std::size_t count) override;
  task<> write(bytes_view bytes) override;
  task<> shut() override;
  void close(ending how) override;
  task<> wait_writable() override;
  duration round_trip() const override;
  bool heard_within(duration limit) const override;
  bool move_to(const executor& where) override;
  std::string peer() const override { return peer_; }

private:
  any_socket socket_;
  std::string peer_;
  block_size read_block_;
  std::size_t read_limit_; ///< bytes of a block that one read may fill
  block buffer_;
  std::size_t begin_ = 0; ///< buffer_[begin_, end_) was read and is not consumed
  std::size_t end_ = 0;
  bool likely_readable_ = false; ///< the last read took all it may: try before waiting
};

} // namespace gotunnel::net
