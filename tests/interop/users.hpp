// The users of streams in the interop tests; the other halves of the scenarios of smux_peer.
#pragma once

#include "interop/core_driver.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct evp_md_ctx_st;

namespace gotunnel::testing {

/// An endless, reproducible stream of bytes.
class noise {
public:
  explicit noise(std::uint64_t seed) : state_((seed + 1) * 0x9e3779b97f4a7c15ULL | 1) {}
  /// A size that is no multiple of 8 ends the comparability with another noise that is cut elsewhere.
  void fill(bytes_span to) noexcept;

private:
  std::uint64_t state_;
};

class sha256 {
public:
  static constexpr std::size_t size = 32;

  sha256();
  void update(bytes_view bytes);
  [[nodiscard]] std::array<std::byte, size> finish();

private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

/// Sends noise, expects it back, and then finishes. `eager` finishes before anything came back: half-close.
class round_trip_user : public stream_user {
public:
  round_trip_user(std::uint64_t seed, std::size_t length, bool eager = false)
      : length_(length), eager_(eager), source_(seed), expected_(seed) {}

  bytes_view next() override;
  void received(bytes_view bytes) override;
  void ended() override { ended_ = true; }
  void was_reset() override { broken_ = true; }

  /// All came back as it was, and the peer has ended the stream.
  [[nodiscard]] bool done() const noexcept { return back_ == length_ && ended_; }
  [[nodiscard]] bool whole() const noexcept { return back_ == length_; }
  [[nodiscard]] bool broken() const noexcept {
    return broken_ || back_ > length_ || (ended_ && back_ < length_);
  }

private:
  std::size_t length_;
  bool eager_;
  noise source_;
  noise expected_;
  std::vector<std::byte> out_;
  std::vector<std::byte> want_; ///< what was expected ahead of what has come
  std::size_t want_at_ = 0;
  std::size_t sent_ = 0;
  std::size_t back_ = 0;
  bool finished_ = false;
  bool ended_ = false;
  bool broken_ = false;
};

/// Sends back what comes, and reports it consumed when it has gone out again, so that it never piles up.
class echo_user : public stream_user {
public:
  bytes_view next() override;
  void received(bytes_view bytes) override;
  void ended() override;

  [[nodiscard]] bool done() const noexcept { return finished_; }

private:
  std::vector<std::byte> waiting_;
  std::vector<std::byte> going_;
  bool ended_ = false;
  bool finished_ = false;
};

/// One blob each way, as smux_peer has it: length (u64 BE), bytes, SHA-256.
class blob_user : public stream_user {
public:
  /// The opener waits for the acceptor's FIN, which says "verified"; the acceptor speaks when it has heard.
  enum class side { opener, acceptor };

  blob_user(side is, std::uint64_t seed, std::uint64_t length)
      : side_(is), length_(length), source_(seed), speaks_(is == side::opener) {}

  bytes_view next() override;
  void received(bytes_view bytes) override;
  void ended() override;
  void was_reset() override { broken_ = true; }

  /// No blob comes back: the stream is only written to.
  void only_write() noexcept { verified_ = true; }
  /// No blob is sent: the stream is only read.
  void only_read() noexcept { stage_ = stage::over; }
  /// From now on what comes is kept and not reported consumed: a reader that does not read.
  void hold() noexcept { held_ = true; }
  void release();

  [[nodiscard]] bool done() const noexcept {
    return verified_ && stage_ == stage::over && (side_ == side::acceptor || ended_);
  }
  [[nodiscard]] bool broken() const noexcept { return broken_; }
  [[nodiscard]] std::size_t held() const noexcept { return kept_.size(); }

private:
  enum class stage { head, body, digest, last, over };

  void take(bytes_view bytes);
  void finish_when_done();

  side side_;
  std::uint64_t length_;
  noise source_;
  bool speaks_;
  stage stage_ = stage::head;
  sha256 sent_digest_;
  std::vector<std::byte> out_;
  std::uint64_t produced_ = 0;

  sha256 digest_;
  std::vector<std::byte> frame_; ///< the length, then the digest, as they come
  bool head_done_ = false;
  std::uint64_t left_ = 0;
  std::vector<std::byte> kept_;
  bool held_ = false;

  bool verified_ = false;
  bool ended_ = false;
  bool broken_ = false;
  bool finished_ = false;
};

} // namespace gotunnel::testing
