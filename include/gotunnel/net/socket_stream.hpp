// A connected TCP or Unix socket as a stream.
//
// Reads wait for readiness first and borrow a block only when bytes are there, so an idle connection holds no
// buffer; taken as from a source, bytes need none. Writes go to the kernel directly and wait only when it is
// full. Where the kernel tells (TCP_INQ, net/tcp_options) that the end is behind the last bytes it is read
// with them; that is for visitors and local services. A carrier whose buffer the line fills is filled to its
// end (net/send_buffer). What ends both ways is closed by the later end, and write_last() lets the FIN leave
// with the bytes.
//
// The connection can go on in another process, which was given the descriptor: leave() then ends this one's
// part in it. What was read and not consumed, and what a write() had already sent, has to be told there; what
// was read is put_back().
#pragma once

#include "gotunnel/base/block_pool.hpp"
#include "gotunnel/net/bbr_startup.hpp"
#include "gotunnel/net/stream.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

namespace gotunnel::net {

using any_socket = asio::generic::stream_protocol::socket;

class socket_stream final : public stream, public byte_source {
public:
  enum class purpose : std::uint8_t { visitor, carrier };

  socket_stream(any_socket socket, purpose use, std::string peer);
  ~socket_stream() override;

  task<> wait_readable() override;
  task<bytes_view> read() override;
  void consume(std::size_t count) override;
  bool at_end() const override { return ended_; }
  task<> write(bytes_view bytes) override { return send(bytes, 0); }
  task<> shut() override;
  task<> write_last(bytes_view bytes) override;
  void close(ending how) override;
  byte_source* source() override { return this; }
  taken take(bytes_span room) override;
  next look() override;
  task<> wait_writable() override;
  duration round_trip() const override;
  bool heard_within(duration limit) const override;
  bool move_to(const executor& where) override;
  std::string peer() const override { return peer_; }

  /// As long as nobody knows the peer: a read takes a few bytes, whatever has come; the rest stays in the
  /// kernel.
  void read_little(bool little) noexcept { little_ = little; }
  /// Whether the peer has ended its side, or the connection has failed, though bytes may be unread.
  [[nodiscard]] bool peer_left();
  /// Whether another process could go on with it: it is open, and has not failed.
  [[nodiscard]] bool sound() const { return socket_.is_open() && failure_ == 0 && !broken_; }
  [[nodiscard]] int handle() { return socket_.native_handle(); }
  /// Bytes of the write() that is waiting that the kernel has taken; 0 when none waits.
  [[nodiscard]] std::size_t written() const noexcept { return written_; }
  /// Bytes that are lent before anything is read, put_back_limit at most. Nothing has been read here.
  static constexpr std::size_t put_back_limit = static_cast<std::size_t>(block_size::large);
  void put_back(bytes_view bytes);
  /// What was read and not consumed.
  [[nodiscard]] bytes_view unread() const { return lend(); }
  /// Closes the descriptor and nothing more.
  void leave();

private:
  task<> send(bytes_view bytes, int flags);
  task<> await_room(bool refused);
  void mind_startup();
  void lend_received();
  [[nodiscard]] std::size_t receive(bytes_span room);
  void note_end();
  [[nodiscard]] bytes_view lend() const { return buffer_.span().subspan(begin_, end_ - begin_); }

  any_socket socket_;
  std::string peer_;
  block buffer_;
  std::size_t begin_ = 0; ///< buffer_[begin_, end_) was read and is not consumed
  std::size_t end_ = 0;
  std::size_t written_ = 0;
  std::size_t slack_ = 0;    ///< bytes that may be written before the kernel is asked again whether it can
  std::size_t unwaited_ = 0; ///< bytes read since the socket was last waited for
  int failure_ = 0;          ///< found behind buffer_: errno
  purpose use_;
  bool ended_ = false;                   ///< the end is behind buffer_
  bool broken_ = false;                  ///< a write was told that the connection has failed
  bool little_ = false;                  ///< read_little()
  bool likely_readable_ = false;         ///< the last read left something: try before waiting
  std::unique_ptr<bbr_startup> startup_; ///< of a carrier whose buffer the line has filled
};

} // namespace gotunnel::net
