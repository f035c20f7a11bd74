// TLS as a stream over another stream, by crypto/tls_engine.
//
//   tls_stream s(context, std::move(below)); auto ok = co_await s.handshake();   // then it is a stream like any other
//
// One write seals as many records as fit its buffer and sends them in one call. The end of the stream is the
// peer's close_notify; a carrier that ends without one is errc::end_of_stream, so a cut is never taken for an
// end. shut() sends close_notify. Buffers are borrowed while bytes are in them. Reading gives way to other
// tasks now and then, whatever the size of the records.
#pragma once

#include "gotunnel/base/block_pool.hpp"
#include "gotunnel/crypto/tls_engine.hpp"
#include "gotunnel/net/stream.hpp"

#include <limits>

namespace gotunnel::net {

class tls_stream final : public stream {
public:
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  tls_stream(const crypto::tls_context& context, stream_ptr below, crypto::key_limits keys = {});

  /// Errors as of tls_engine::handshake(), or of the stream below. `failure()` then says more.
  [[nodiscard]] task<> handshake();

  task<bytes_view> read() override;
  void consume(std::size_t count) override;
  task<> write(bytes_view bytes) override;
  task<> shut() override;
  void close(ending how) override;
  task<> wait_writable() override { return below_->wait_writable(); }
  duration round_trip() const override { return below_->round_trip(); }
  bool heard_within(duration limit) const override { return below_->heard_within(limit); }
  bool move_to(const executor& where) override;
  bool worn(bool disturbs_nobody) const override;
  std::string peer() const override { return below_->peer(); }

  /// At most so many bytes more will be taken from the stream below; beyond them reading fails with
  /// errc::limit_exceeded. No limit until told.
  void limit_input(std::uint64_t bytes) noexcept { input_left_ = bytes; }

  [[nodiscard]] const crypto::tls_engine& engine() const noexcept { return engine_; }

private:
  task<> flush();
  task<std::size_t> fetch();

  crypto::tls_engine engine_;
  stream_ptr below_;
  std::uint64_t input_left_ = unlimited;
  int unfetched_ = 0;    ///< reads since the stream below was asked
  std::size_t lent_ = 0; ///< bytes of the stream below that the engine is reading
  block plain_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

} // namespace gotunnel::net
