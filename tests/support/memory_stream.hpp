// Two ends of a stream in memory, on one context, with a bounded buffer each way and faults on demand.
//
//   auto pair = make_memory_pair(executor);
//   pair.at_a->fail(step::write, 3, errc::reset);        // the third write() of end a fails
//   pair.at_b->piece = 1;                                 // end b is lent one byte at a time
//   code under test takes std::move(pair.a); pair.at_a and pair.at_b stay to look at and to disturb it
#pragma once

#include "gotunnel/net/signal.hpp"
#include "gotunnel/net/stream.hpp"

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace gotunnel::testing {

enum class step { read, write, shut, wait_writable };
inline constexpr std::size_t steps = 4;

/// One end, as the test sees it.
class memory_end {
public:
  explicit memory_end(const net::executor& where) : changed_(where) {}

  std::size_t piece = SIZE_MAX;      ///< the most that one read() lends
  std::size_t capacity = 256 * 1024; ///< bytes that may wait for this end before the other's writes wait
  duration round_trip{};             ///< what round_trip() says
  bool gives = false;                ///< as a source
  bool worn = false;                 ///< what worn() says when it disturbs nobody
  bool worn_out = false;             ///< and at all times

  /// The `nth` operation of this kind from now on fails, and all that follow.
  void fail(step which, std::size_t nth, error_code why);
  /// Operations of this kind, new ones and those that wait, do not go on until resume().
  void stall(step which);
  void resume(step which);
  /// This end's reader finds the end of the stream, or an error, behind what has arrived.
  void cut(error_code why = {});

  /// The same as cut(), and whoever asked with on_failure() is told.
  void break_off(error_code why);

  [[nodiscard]] std::size_t calls(step which) const { return calls_[index(which)]; }
  [[nodiscard]] std::size_t waiting() const noexcept { return inbox_.size() + lent_.size() - lent_begin_; }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  [[nodiscard]] bool shut() const noexcept { return shut_; }
  /// How the code under test closed its end, the first time.
  [[nodiscard]] std::optional<net::ending> closed() const noexcept { return closed_; }

private:
  friend class memory_stream;
  struct fault {
    std::size_t after = SIZE_MAX;
    error_code why;
  };

  static std::size_t index(step which) { return static_cast<std::size_t>(which); }
  [[nodiscard]] result<> enter(step which);
  [[nodiscard]] bool stalled(step which) const { return stalled_[index(which)]; }

  net::signal changed_;
  std::deque<std::byte> inbox_;
  std::vector<std::byte> lent_;
  std::size_t lent_begin_ = 0;
  bool ended_ = false; ///< behind the inbox
  error_code broken_;  ///< behind the inbox
  bool shut_ = false;
  std::optional<net::ending> closed_;
  std::uint64_t written_ = 0;
  std::function<void()> tell_failure_;
  std::array<std::size_t, steps> calls_{};
  std::array<fault, steps> faults_{};
  std::array<bool, steps> stalled_{};
};

class memory_stream final : public net::stream, public byte_source {
public:
  memory_stream(std::shared_ptr<memory_end> here, std::shared_ptr<memory_end> there, std::string peer);
  ~memory_stream() override;

  net::task<bytes_view> read() override;
  void consume(std::size_t count) override;
  net::task<> write(bytes_view bytes) override;
  net::task<> shut() override;
  bool at_end() const override { return here_->ended_ && !here_->broken_ && here_->inbox_.empty(); }
  void close(net::ending how) override;
  byte_source* source() override { return here_->gives ? this : nullptr; }
  taken take(bytes_span room) override;
  next look() override;
  net::task<> wait_writable() override;
  duration round_trip() const override { return here_->round_trip; }
  bool worn(bool disturbs_nobody) const override {
    return here_->worn_out || (here_->worn && disturbs_nobody);
  }
  void on_failure(std::function<void()> tell) override { here_->tell_failure_ = std::move(tell); }
  bool move_to(const net::executor&) override { return true; } // one context is all there is
  std::string peer() const override { return peer_; }

private:
  std::shared_ptr<memory_end> here_;
  std::shared_ptr<memory_end> there_;
  std::string peer_;
};

struct memory_pair {
  net::stream_ptr a, b;
  std::shared_ptr<memory_end> at_a, at_b;
};

[[nodiscard]] memory_pair make_memory_pair(const net::executor& where);

} // namespace gotunnel::testing
