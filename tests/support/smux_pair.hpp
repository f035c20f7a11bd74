// Two smux machines, a carrier with delay between them, and applications that read when they like.
//
//   smux_pair pair(left_config, right_config, seed);
//   while (pair.step()) {}
//   pair.verdict()  ->  "", or what went wrong
//
// Each step the clock moves on, and random things happen: streams open on either side, offer random amounts,
// finish, are reset, now as bytes, now as a source that is asked for them; what was received is drained in
// random amounts or not at all for a while; the carrier delivers in random pieces. Every byte is a function
// of stream, direction and offset, and is compared where it arrives. After `steps` nothing new begins, all
// readers read, and both machines must end without a stream, without a buffered byte, and with next to
// nothing kept.
//
// A resumable session loses its carrier now and then (`cut_chance`): at any byte, also while what an earlier
// cut took is sent anew, and with a write under way. Both lives go on, and after a while on another carrier;
// an end may have become another one meanwhile that was loaded from its record (`handover_chance`).
#pragma once

#include "gotunnel/wire/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace gotunnel::testing {

struct pair_options {
  int steps = 400;
  std::size_t most_streams = 12;
  double reset_chance = 0.01;           ///< of a stream, when it is its turn
  duration delay = 10ms;                ///< of the carrier, each way
  std::uint64_t most_offered = 200'000; ///< bytes at once
  double open_chance = 0.05;
  double cut_chance = 0;      ///< of the carrier, each step
  double handover_chance = 0; ///< of an end that has lost its carrier
};

class smux_pair {
public:
  smux_pair(const wire::smux_config& left, const wire::smux_config& right, std::uint64_t seed,
            pair_options options = {})
      : random_(seed), options_(options), left_(left, now_, 'L'), right_(right, now_, 'R') {}

  /// False when all is over, or something went wrong.
  bool step() {
    now_ += std::chrono::microseconds(between(1, 3000));
    const bool closing = ++steps_ > options_.steps;
    if (connected_ && chance(options_.cut_chance)) cut();
    if (!connected_ && now_ >= back_at_) come_back();
    for (end* each : {&left_, &right_}) {
      live(*each, closing);
      speak(*each);
    }
    deliver(left_, right_);
    deliver(right_, left_);
    if (!failure_.empty()) return false;
    if (steps_ > options_.steps * 10) return fail("does not come to an end");
    if (!closing || !quiet()) return true;
    // The last ACKs are a matter of time.
    for (int i = 0; i < 8; ++i) {
      now_ += 300ms;
      for (end* each : {&left_, &right_}) {
        (void)each->core().tick(now_).has_value();
        speak(*each);
      }
      deliver_all();
    }
    if (left_.out().kept() > most_kept || right_.out().kept() > most_kept)
      fail(fmt::format("{} and {} bytes are kept at the end", left_.out().kept(), right_.out().kept()));
    return false;
  }

  [[nodiscard]] const std::string& verdict() const { return failure_; }
  [[nodiscard]] std::uint64_t carried() const { return carried_; }
  [[nodiscard]] std::uint64_t opened() const { return opened_; }
  [[nodiscard]] std::uint64_t cuts() const { return cuts_; }
  [[nodiscard]] std::uint64_t handovers() const { return handovers_; }

private:
  /// One end of a stream, as its application sees it.
  struct app final : byte_source {
    taken take(bytes_span room) override {
      const auto count = std::min({room.size(), offer.size(), gives});
      std::copy_n(offer.begin(), count, room.begin());
      offer.erase(offer.begin(), offer.begin() + static_cast<std::ptrdiff_t>(count));
      finished = ends && offer.empty();
      return {count, finished};
    }
    next look() override { return !offer.empty() ? next::bytes : ends ? next::end : next::nothing; }

    bool asked = false;    ///< it is offered as a source
    std::size_t gives = 0; ///< of the offer, when it is asked
    bool ends = false;     ///< behind the offer
    std::uint64_t offered = 0;
    std::uint64_t received = 0;
    std::uint64_t drained = 0;
    std::vector<std::byte> offer; ///< not empty while it waits for poll_sent
    bool finished = false;
    bool peer_finished = false;
  };
  struct parcel {
    time_point arrives;
    std::vector<std::byte> bytes;
  };
  struct machine {
    machine(const wire::smux_config& config, time_point now)
        : core(config, now), out(core, config.resumable) {}
    wire::smux_core core;
    wire::resume out;
  };
  struct end {
    end(const wire::smux_config& with, time_point now, char called)
        : config(with), runs(std::make_unique<machine>(with, now)), name(called), resets(with.resets) {}
    [[nodiscard]] wire::smux_core& core() const { return runs->core; }
    [[nodiscard]] wire::resume& out() const { return runs->out; }
    wire::smux_config config;
    std::unique_ptr<machine> runs;
    char name;
    bool resets;
    std::map<wire::stream_id, app> apps;
    std::deque<parcel> outbound;
    bytes_view writing;             ///< lent to a carrier that has not taken all of it yet
    std::vector<std::byte> written; ///< what it was when it was lent
    time_point lazy_until{};        ///< nobody reads here before
  };

  static std::byte content(wire::stream_id id, char sender, std::uint64_t offset) {
    return static_cast<std::byte>((offset * 131 + (offset >> 8) * 17 + std::uint64_t{id} * 7 +
                                   std::uint64_t{static_cast<unsigned char>(sender)}) &
                                  0xff);
  }

  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random_);
  }
  bool chance(double of) { return std::bernoulli_distribution(of)(random_); }
  bool fail(std::string_view what) {
    if (failure_.empty()) failure_ = fmt::format("step {}: {}", steps_, what);
    return false;
  }

  void live(end& here, bool closing) {
    if (connected_) {
      if (const auto ticked = here.core().tick(now_); !ticked) fail(ticked.error().message());
    }
    if (!closing && here.apps.size() < options_.most_streams && chance(options_.open_chance)) {
      here.apps.try_emplace(here.core().open().value());
      ++opened_;
    }
    if (!closing && chance(0.01)) here.lazy_until = now_ + std::chrono::milliseconds(between(1, 200));
    for (auto at = here.apps.begin(); at != here.apps.end();) {
      auto& [id, state] = *at;
      // Plain smux cannot say that a reset stream takes no more; its far end has to give up by itself.
      const double resets = closing ? (here.resets ? 0.0 : 0.05) : options_.reset_chance;
      if (chance(resets)) {
        here.core().reset(id);
        at = here.apps.erase(at);
        continue;
      }
      write(here, id, state, closing);
      if (closing || now_ >= here.lazy_until) read(here, id, state);
      const bool over = state.finished && !state.asked && state.offer.empty() && state.peer_finished &&
                        state.drained == state.received;
      at = over && !here.core().alive(id) ? here.apps.erase(at) : std::next(at);
    }
  }

  void write(end& here, wire::stream_id id, app& state, bool closing) {
    if (state.finished || state.asked || !state.offer.empty()) return;
    if (closing || chance(0.02)) {
      here.core().finish(id);
      state.finished = true;
      return;
    }
    if (!chance(0.5)) return;
    state.offer.resize(chance(0.3) ? between(1, 100) : between(1, options_.most_offered));
    for (std::byte& each : state.offer) each = content(id, here.name, state.offered++);
    if (chance(0.4)) return offer_source(here, id, state);
    if (const auto taken = here.core().submit(id, state.offer); !taken)
      fail("submit: " + taken.error().message());
  }

  void offer_source(end& here, wire::stream_id id, app& state) {
    if (chance(0.1)) asked_once(state); // nothing but an end, or not even that
    state.ends = chance(0.1);
    state.gives = state.ends ? state.offer.size() : between(0, state.offer.size());
    state.asked = true;
    if (const auto taken = here.core().submit(id, state); !taken) fail("submit: " + taken.error().message());
  }
  /// What it did not give it will offer again.
  static void asked_once(app& state) {
    state.asked = false;
    state.offered -= state.offer.size();
    state.offer.clear();
  }

  void read(end& here, wire::stream_id id, app& state) {
    const std::uint64_t waiting = state.received - state.drained;
    if (waiting == 0) return;
    const std::uint64_t count = chance(0.5) ? waiting : between(1, waiting);
    state.drained += count;
    here.core().consumed(id, count, now_);
  }

  void speak(end& here) {
    if (!connected_ || here.outbound.size() > 20) return; // the carrier is full
    if (!here.writing.empty()) {
      if (chance(0.5)) return;
      if (!std::equal(here.writing.begin(), here.writing.end(), here.written.begin()))
        fail("what is being written has changed");
      here.out().wrote(here.writing.size());
      here.writing = {};
    }
    const std::size_t most = chance(0.2) ? between(64, 600) : between(64, 100'000);
    const bool wanted = here.out().wants_write();
    const bytes_view bytes = here.out().next(now_, most);
    if (!wanted && !bytes.empty()) fail("transmits what it did not want to");
    while (const auto id = here.core().poll_sent()) {
      const auto found = here.apps.find(*id);
      if (found == here.apps.end()) continue;
      if (found->second.asked) {
        asked_once(found->second);
        continue;
      }
      if (found->second.offer.empty()) fail("sent what was not offered");
      found->second.offer.clear();
    }
    if (bytes.empty()) return;
    here.writing = bytes;
    here.written.assign(bytes.begin(), bytes.end());
    here.outbound.push_back({now_ + options_.delay, here.written});
  }

  void deliver(end& from, end& to) {
    while (!from.outbound.empty() && from.outbound.front().arrives <= now_ && !to.core().over_budget()) {
      deliver_pieces(from, to, from.outbound.front().bytes);
      from.outbound.pop_front();
    }
  }
  void deliver_pieces(end& from, end& to, bytes_view rest) {
    while (!rest.empty() && failure_.empty()) {
      const std::size_t piece = chance(0.1) ? 1 : std::min<std::size_t>(rest.size(), between(1, 20'000));
      hear(to, from.name, rest.first(piece));
      rest = rest.subspan(piece);
    }
  }
  void deliver_all() {
    now_ += options_.delay;
    deliver(left_, right_);
    deliver(right_, left_);
  }

  /// Of what is under way each side gets the beginning, or nothing.
  void cut() {
    ++cuts_;
    for (const auto& [from, to] : {std::pair(&left_, &right_), std::pair(&right_, &left_)}) {
      while (!from->outbound.empty() && !to->core().over_budget() && chance(0.7)) {
        const bytes_view bytes = from->outbound.front().bytes;
        const bool whole = chance(0.6);
        deliver_pieces(*from, *to, whole ? bytes : bytes.first(between(0, bytes.size() - 1)));
        if (!whole) break;
        from->outbound.pop_front();
      }
      from->outbound.clear();
    }
    left_.writing = right_.writing = {};
    connected_ = false;
    back_at_ = now_ + std::chrono::milliseconds(between(0, 20));
  }
  void come_back() {
    for (end* each : {&left_, &right_})
      if (chance(options_.handover_chance)) hand_over(*each);
    connected_ = true;
    const std::uint64_t left_has = left_.core().received();
    const std::uint64_t right_has = right_.core().received();
    if (!left_.out().attach(right_has, now_) || !right_.out().attach(left_has, now_))
      fail("does not come back");
  }

  /// Another process goes on with this end, which offers anew what it had not sent.
  void hand_over(end& here) {
    record_writer to;
    here.out().save(to);
    const std::vector<std::byte> bytes = to.take();
    auto next = std::make_unique<machine>(here.config, now_);
    record_reader from(bytes);
    if (!next->out.load(from) || !from.whole()) return void(fail("cannot be loaded"));
    for (auto& [id, state] : here.apps) {
      if (state.asked && !next->core.submit(id, state)) fail("cannot offer a source again");
      const bytes_view rest = here.core().offered(id);
      if (rest.empty()) continue;
      state.offer = std::vector<std::byte>(rest.begin(), rest.end());
      if (!next->core.submit(id, state.offer)) fail("cannot offer again");
    }
    here.runs = std::move(next);
    ++handovers_;
  }

  void hear(end& here, char sender, bytes_view bytes) {
    here.core().feed(bytes, now_);
    for (;;) {
      const auto polled = here.core().poll();
      if (!polled) return void(fail(fmt::format("{} hears: {}", here.name, polled.error().message())));
      if (!*polled) return here.out().settle();
      const wire::smux_event& event = **polled;
      using kind = wire::smux_event::kind;
      if (event.what == kind::opened) {
        if (!here.apps.try_emplace(event.id).second) fail("opened twice");
        continue;
      }
      const auto found = here.apps.find(event.id);
      if (found == here.apps.end())
        return void(fail(fmt::format("{} hears of {} that is gone: {}", here.name, event.id,
                                     static_cast<int>(event.what))));
      if (event.what == kind::reset) {
        here.apps.erase(found);
        continue;
      }
      app& state = found->second;
      if (state.peer_finished) fail("more after the end");
      if (event.what == kind::finished) state.peer_finished = true;
      carried_ += event.bytes.size();
      for (const std::byte each : event.bytes)
        if (each != content(event.id, sender, state.received++))
          return void(fail(fmt::format("stream {}: wrong byte at {}", event.id, state.received - 1)));
    }
  }

  bool quiet() {
    if (!connected_) return false;
    for (const end* each : {&left_, &right_}) {
      if (!each->apps.empty() || !each->outbound.empty()) return false;
      if (!each->writing.empty()) return false;
      if (each->core().stream_count() > 0 || each->core().buffered() > 0 || each->core().wants_transmit())
        return false;
    }
    return true;
  }

  static constexpr std::size_t most_kept = 64; ///< ACKs of ACKs

  std::mt19937_64 random_;
  pair_options options_;
  time_point now_{1h};
  end left_;
  end right_;
  int steps_ = 0;
  bool connected_ = true;
  time_point back_at_{};
  std::uint64_t cuts_ = 0;
  std::uint64_t handovers_ = 0;
  std::uint64_t carried_ = 0;
  std::uint64_t opened_ = 0;
  std::string failure_;
};

} // namespace gotunnel::testing
