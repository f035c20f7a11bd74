// Feeds arbitrary bytes to a smux machine while its streams are used in arbitrary ways, and checks what it
// promises.
//
// Input: one byte of configuration, then steps. A step is one byte: below 128 it is a number of bytes to feed
// (0 to 127, taken from the input); else it is a call on one of the streams that are alive.
#include "gotunnel/wire/smux_core.hpp"

#include "fuzz/fuzz_input.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

using namespace gotunnel;
using namespace gotunnel::wire;
using testing::require;

namespace {

/// Gives as much as the input says.
class fuzzed_source final : public byte_source {
public:
  explicit fuzzed_source(testing::fuzz_input& input) : input_(input) {}

  taken take(bytes_span room) override {
    const std::size_t count = std::min<std::size_t>(room.size(), input_.next() * 4);
    std::fill_n(room.begin(), count, std::byte{'y'});
    return {count, ends};
  }

  next look() override { return next::bytes; }

  bool ends = false; ///< behind whatever is taken

private:
  testing::fuzz_input& input_;
};

class user {
public:
  user(bytes_view input)
      : input_(input), flags_(input_.next()),
        core_({.role = flags_ & 1 ? smux_role::client : smux_role::server,
               .version = static_cast<std::uint8_t>(flags_ & 2 ? 1 : 2),
               .resets = (flags_ & 4) != 0,
               .resumable = (flags_ & 64) != 0,
               .max_frame = flags_ & 8 ? 100u : 32768u,
               .memory_budget = flags_ & 16 ? 64u : 100'000u,
               .max_peer_streams = 8,
               .strict_opens = (flags_ & 32) != 0},
              now_) {}

  void run() {
    while (!input_.empty() && !broken_) {
      const unsigned step = input_.next();
      now_ += std::chrono::milliseconds(10);
      if (step < 128)
        hear(step);
      else
        call(step);
      check();
    }
  }

private:
  void hear(std::size_t count) {
    core_.feed(input_.take(count), now_);
    for (;;) {
      const auto polled = core_.poll();
      broken_ = !polled;
      if (broken_ || !*polled) return;
      const smux_event& event = **polled;
      switch (event.what) {
      case smux_event::kind::opened: require(unread_.try_emplace(event.id).second); break;
      case smux_event::kind::data:
        require(unread_.contains(event.id) && !event.bytes.empty());
        unread_[event.id] += event.bytes.size();
        break;
      case smux_event::kind::finished: require(unread_.contains(event.id)); break;
      case smux_event::kind::reset: require(unread_.erase(event.id) == 1 && !core_.alive(event.id)); break;
      }
      forget_the_dead();
    }
  }

  void call(unsigned step) {
    if (step % 8 == 0) return transmit(input_.next());
    if (step % 8 == 1) return void(unread_.try_emplace(core_.open().value()));
    if (step % 8 == 2) return void(broken_ = !core_.tick(now_ += std::chrono::seconds(input_.next() / 16)));
    if (unread_.empty()) return;
    auto at = unread_.begin();
    std::advance(at, input_.next() % unread_.size());
    const stream_id id = at->first;
    switch (step % 8) {
    case 3:
      core_.withdraw(id);
      source_.ends = (step & 32) != 0;
      if (step & 64)
        (void)core_.submit(id, source_).has_value();
      else
        (void)core_.submit(id, as_bytes(text_)).has_value();
      break;
    case 4: core_.finish(id); break;
    case 5: core_.reset(id); break;
    case 6: core_.prioritize(id); break;
    case 7: {
      const std::size_t count = std::min<std::size_t>(at->second, input_.next());
      at->second -= count;
      core_.consumed(id, count, now_);
      break;
    }
    default: break;
    }
    forget_the_dead();
  }

  void transmit(unsigned size) {
    std::string out(64 + size * 8, '\0');
    const std::size_t filled = core_.transmit(std::as_writable_bytes(std::span{out}), now_);
    require(filled <= out.size());
    // Whole frames, each as a strict peer wants it.
    for (bytes_view said = as_bytes(out).first(filled); !said.empty();) {
      const auto header = decode_header(said.first<smux_header::size>(), flags_ & 2 ? 1 : 2,
                                        (flags_ & 4) != 0, (flags_ & 64) != 0);
      require(header.has_value() && smux_header::size + header->length <= said.size());
      said = said.subspan(smux_header::size + header->length);
    }
    while (core_.poll_sent()) {
    }
    forget_the_dead();
  }

  void forget_the_dead() {
    std::erase_if(unread_, [&](const auto& each) { return !core_.alive(each.first); });
  }

  void check() {
    if (broken_) return;
    std::size_t total = 0;
    for (const auto& [id, count] : unread_) total += count;
    require(core_.buffered() == total && core_.stream_count() == unread_.size());
  }

  testing::fuzz_input input_;
  unsigned flags_;
  time_point now_{std::chrono::hours(1)};
  smux_core core_;
  std::map<stream_id, std::size_t> unread_; ///< bytes received and not consumed, of each alive stream
  std::string text_ = std::string(300, 'x');
  fuzzed_source source_{input_};
  bool broken_ = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  user(std::as_bytes(std::span{data, size})).run();
  return 0;
}
