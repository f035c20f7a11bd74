// Two smux machines, a carrier with delay between them, and applications that read when they like.
//
//   smux_pair pair(left_config, right_config, seed);
//   while (pair.step()) {}
//   pair.verdict()  ->  "", or what went wrong
//
// Each step the clock moves on, and random things happen: streams open on either side, offer random amounts,
// finish, are reset; what was received is drained in random amounts or not at all for a while; the carrier
// delivers in random pieces. Every byte is a function of stream, direction and offset, and is compared where
// it arrives. After `steps` nothing new begins, all readers read, and both machines must end without a
// stream, without a buffered byte.
#pragma once

#include "gotunnel/wire/smux_core.hpp"

#include <fmt/format.h>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace gotunnel::testing {

struct pair_options {
  int steps = 400;
  std::size_t most_streams = 12;
  double reset_chance = 0.01; ///< of a stream, when it is its turn
  duration delay = 10ms;      ///< of the carrier, each way
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
    for (end* each : {&left_, &right_}) {
      live(*each, closing);
      speak(*each);
    }
    deliver(left_, right_);
    deliver(right_, left_);
    if (!failure_.empty()) return false;
    if (steps_ > options_.steps * 10) return fail("does not come to an end");
    return !closing || !quiet();
  }

  [[nodiscard]] const std::string& verdict() const { return failure_; }
  [[nodiscard]] std::uint64_t carried() const { return carried_; }
  [[nodiscard]] std::uint64_t opened() const { return opened_; }

private:
  /// One end of a stream, as its application sees it.
  struct app {
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
  struct end {
    end(const wire::smux_config& config, time_point now, char with)
        : core(config, now), name(with), resets(config.resets) {}
    wire::smux_core core;
    char name;
    bool resets;
    std::map<wire::stream_id, app> apps;
    std::deque<parcel> outbound;
    time_point lazy_until{}; ///< nobody reads here before
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
    if (const auto ticked = here.core.tick(now_); !ticked) fail(ticked.error().message());
    if (!closing && here.apps.size() < options_.most_streams && chance(0.05)) {
      here.apps.try_emplace(here.core.open().value());
      ++opened_;
    }
    if (!closing && chance(0.01)) here.lazy_until = now_ + std::chrono::milliseconds(between(1, 200));
    for (auto at = here.apps.begin(); at != here.apps.end();) {
      auto& [id, state] = *at;
      // Plain smux cannot say that a reset stream takes no more; its far end has to give up by itself.
      const double resets = closing ? (here.resets ? 0.0 : 0.05) : options_.reset_chance;
      if (chance(resets)) {
        here.core.reset(id);
        at = here.apps.erase(at);
        continue;
      }
      write(here, id, state, closing);
      if (closing || now_ >= here.lazy_until) read(here, id, state);
      const bool over =
          state.finished && state.offer.empty() && state.peer_finished && state.drained == state.received;
      at = over && !here.core.alive(id) ? here.apps.erase(at) : std::next(at);
    }
  }

  void write(end& here, wire::stream_id id, app& state, bool closing) {
    if (state.finished || !state.offer.empty()) return;
    if (closing || chance(0.02)) {
      here.core.finish(id);
      state.finished = true;
      return;
    }
    if (!chance(0.5)) return;
    state.offer.resize(chance(0.3) ? between(1, 100) : between(1, 200'000));
    for (std::byte& each : state.offer) each = content(id, here.name, state.offered++);
    if (const auto taken = here.core.submit(id, state.offer); !taken)
      fail("submit: " + taken.error().message());
  }

  void read(end& here, wire::stream_id id, app& state) {
    const std::uint64_t waiting = state.received - state.drained;
    if (waiting == 0) return;
    const std::uint64_t count = chance(0.5) ? waiting : between(1, waiting);
    state.drained += count;
    here.core.consumed(id, count, now_);
  }

  void speak(end& here) {
    if (here.outbound.size() > 20) return; // the carrier is full
    std::vector<std::byte> out(chance(0.2) ? between(64, 600) : between(64, 100'000));
    const bool wanted = here.core.wants_transmit();
    out.resize(here.core.transmit(out, now_));
    if (!wanted && !out.empty()) fail("transmits what it did not want to");
    while (const auto id = here.core.poll_sent()) {
      const auto found = here.apps.find(*id);
      if (found == here.apps.end()) continue;
      if (found->second.offer.empty()) fail("sent what was not offered");
      found->second.offer.clear();
    }
    if (!out.empty()) here.outbound.push_back({now_ + options_.delay, std::move(out)});
  }

  void deliver(end& from, end& to) {
    while (!from.outbound.empty() && from.outbound.front().arrives <= now_ && !to.core.over_budget()) {
      bytes_view rest = from.outbound.front().bytes;
      while (!rest.empty() && failure_.empty()) {
        const std::size_t piece = chance(0.1) ? 1 : std::min<std::size_t>(rest.size(), between(1, 20'000));
        hear(to, from.name, rest.first(piece));
        rest = rest.subspan(piece);
      }
      from.outbound.pop_front();
    }
  }

  void hear(end& here, char sender, bytes_view bytes) {
    here.core.feed(bytes, now_);
    for (;;) {
      const auto polled = here.core.poll();
      if (!polled) return void(fail(fmt::format("{} hears: {}", here.name, polled.error().message())));
      if (!*polled) return;
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
    for (const end* each : {&left_, &right_}) {
      if (!each->apps.empty() || !each->outbound.empty()) return false;
      if (each->core.stream_count() > 0 || each->core.buffered() > 0 || each->core.wants_transmit())
        return false;
    }
    return true;
  }

  std::mt19937_64 random_;
  pair_options options_;
  time_point now_{1h};
  end left_;
  end right_;
  int steps_ = 0;
  std::uint64_t carried_ = 0;
  std::uint64_t opened_ = 0;
  std::string failure_;
};

} // namespace gotunnel::testing
