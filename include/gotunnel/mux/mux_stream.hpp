// One smux stream as a byte door.
//
// Reading lends what has arrived and, when it is consumed, grants the peer more window; writing waits until
// the session has framed the bytes, which it asks a source for when it is the stream's turn. shut() sends FIN
// and reading goes on. close(ending::abort), or dropping the stream before both directions have ended, sends
// RST (FIN to peers that know no RST). On the worker of its session, which it keeps alive.
#pragma once

#include "gotunnel/base/byte_queue.hpp"
#include "gotunnel/net/signal.hpp"
#include "gotunnel/net/stream.hpp"
#include "gotunnel/wire/smux_core.hpp"

#include <memory>

namespace gotunnel::mux {

namespace asio = boost::asio;

class session;

class mux_stream final : public net::stream {
public:
  mux_stream(std::shared_ptr<session> owner, wire::stream_id id);
  ~mux_stream() override;

  net::task<bytes_view> read() override;
  void consume(std::size_t count) override;
  net::task<> write(bytes_view bytes) override { return send(bytes, false); }
  net::task<> shut() override;
  bool at_end() const override { return peer_finished_ && unread_.front().size() == unread_.size(); }
  net::task<> write_last(bytes_view bytes) override { return send(bytes, true); }
  net::task<byte_source::taken> write_from(byte_source& source) override;
  void close(net::ending how) override;
  net::task<> wait_writable() override;
  void on_failure(std::function<void()> tell) override;
  std::string peer() const override;

  /// Ends both directions, telling the peer why.
  void reset(wire::smux_reset_reason reason);
  /// This stream's bytes go ahead of all other streams'.
  void prioritize();

  [[nodiscard]] wire::stream_id id() const noexcept { return id_; }
  /// What has arrived already, as read() would lend it.
  [[nodiscard]] bytes_view waiting() const noexcept { return unread_.front(); }

  /// Whether another process could go on with it (mux/session): it has not failed, and has not ended.
  [[nodiscard]] bool alive() const;
  /// `behind`: what is to be written next.
  void save(record_writer& to, bytes_view behind = {}) const;
  /// Bytes that wait to be read.
  [[nodiscard]] std::size_t unread() const noexcept { return unread_.size(); }
  /// Consumes bytes that were read elsewhere.
  void skip(std::size_t count);

private:
  friend class session;

  /// What is left of a write that waited.
  [[nodiscard]] result<std::vector<std::byte>> load(record_reader& from);
  net::task<> send(bytes_view bytes, bool last);
  class offering;

  // What the session reports.
  void received(bytes_view bytes);
  void finished_by_peer();
  void reset_by_peer(wire::smux_reset_reason reason);
  void forgotten_by_peer();
  void not_read();
  void sent();
  void fail(error_code why);
  /// The core has forgotten the stream; by its id it may know another one.
  void forgotten_by_core() noexcept { known_ = false; }
  [[nodiscard]] result<> may_send() const;

  std::shared_ptr<session> owner_;
  wire::stream_id id_;
  byte_queue unread_;
  net::signal readable_;
  net::signal writable_;
  error_code failure_;
  std::function<void()> tell_failure_;
  bool known_ = true;          ///< the stream of this id in the core is this one
  bool offered_ = false;       ///< the core still borrows the bytes of a write(), or the source
  bool shut_ = false;          ///< our FIN is on its way
  bool peer_finished_ = false; ///< the peer's FIN has come
};

using mux_stream_ptr = std::unique_ptr<mux_stream>;

} // namespace gotunnel::mux
