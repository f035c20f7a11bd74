// A resumable session that is fed arbitrary bytes, ACKs among them, and gets new carriers at arbitrary
// counts: what goes out is one stream of bytes, whatever carrier each part takes.
//
// Input: steps. A step is one byte: below 128 a number of bytes to feed, taken from the input; else a call,
// or an ACK or a count that is near to what can be.
#include "gotunnel/wire/resume.hpp"

#include "fuzz/fuzz_input.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

using namespace gotunnel;
using namespace gotunnel::wire;
using testing::require;

namespace {

class user {
public:
  explicit user(bytes_view input) : input_(input) {
    for (int i = 0; i < 3; ++i) (void)core_.open().value();
  }

  void run() {
    while (!input_.empty() && !over_) {
      const unsigned step = input_.next();
      now_ += std::chrono::milliseconds(40);
      if (step < 128)
        hear(take(step));
      else
        call(step);
      require(out_.kept() <= all_.size() && out_.kept() <= limit + 4000 + resume::answers_limit + 64);
      over_ = over_ || out_.overfull();
    }
  }

private:
  /// Zeros when the input is used up.
  std::vector<std::byte> take(std::size_t count) {
    std::vector<std::byte> taken(count);
    const bytes_view part = input_.take(count);
    std::copy(part.begin(), part.end(), taken.begin());
    return taken;
  }
  /// A count around what the peer can have received.
  std::uint64_t count() {
    return core_.acknowledged() + input_.next() % (core_.transmitted() - core_.acknowledged() + 3);
  }

  void hear(bytes_view bytes) {
    core_.feed(bytes, now_);
    for (;;) {
      const auto polled = core_.poll();
      over_ = !polled;
      if (over_ || !*polled) break;
    }
    out_.settle();
  }

  void call(unsigned step) {
    const stream_id id = 3 + 2 * (step / 8 % 3);
    switch (step % 8) {
    case 0: return write(input_.next());
    case 1: return write(~std::size_t{0});
    case 2:
      if (core_.alive(id)) {
        core_.withdraw(id);
        (void)core_.submit(id, as_bytes(text_).first(1 + input_.next() * 30)).has_value();
      }
      return;
    case 3: return acknowledge(count());
    case 4: return attach(count());
    case 5: over_ = !core_.tick(now_ += std::chrono::milliseconds(20 * input_.next())).has_value(); return;
    case 6: return core_.finish(id);
    default: return core_.reset(id);
    }
  }

  /// The carrier takes `most` bytes of what there is.
  void write(std::size_t most) {
    const bytes_view bytes = out_.next(now_, 64 + std::min<std::size_t>(most, 4000));
    while (core_.poll_sent()) {
    }
    const bytes_view known = as_bytes(all_).subspan(written_);
    const std::size_t again = std::min(known.size(), bytes.size());
    require(std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(again), known.begin()));
    all_ += as_text(bytes.subspan(again));
    const std::size_t taken = std::min(most, bytes.size());
    out_.wrote(taken);
    written_ += taken;
    require(core_.transmitted() == all_.size());
  }

  void acknowledge(std::uint64_t count) {
    std::array<std::byte, smux_header::size + sizeof count> frame;
    encode(smux_header{2, smux_command::ack, sizeof count, input_.next() % 2},
           bytes_span{frame}.first<smux_header::size>());
    store_le64(bytes_span{frame}.subspan(smux_header::size), count);
    hear(frame);
  }

  void attach(std::uint64_t count) {
    const bool can_be = core_.acknowledged() <= count && count <= core_.transmitted();
    require(out_.serves(count) == can_be && out_.attach(count, now_).has_value() == can_be);
    if (can_be) written_ = count;
  }

  static constexpr std::size_t limit = 20'000;
  testing::fuzz_input input_;
  time_point now_{std::chrono::hours(1)};
  smux_core core_{{.role = smux_role::client, .resets = true, .resumable = true, .max_frame = 500}, now_};
  resume out_{core_, true, limit};
  std::string text_ = std::string(8000, 'x');
  std::string all_;           ///< every byte of the session so far
  std::uint64_t written_ = 0; ///< taken by the carrier that there is
  bool over_ = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  user(std::as_bytes(std::span{data, size})).run();
  return 0;
}
