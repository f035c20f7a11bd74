#include "forwarder.hpp"

#include <unistd.h>

#include <algorithm>

namespace gotunnel::wan {
namespace {

constexpr int packets_a_turn = 64;
constexpr std::size_t largest_packet = 65535;

time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

// Two directions of one seed must not have the same luck.
forwarder::forwarder(int left, int right, const link_settings& settings, std::uint64_t seed)
    : paths_{{{left, right, link_model(settings, 2 * seed)},
              {right, left, link_model(settings, 2 * seed + 1)}}},
      arriving_(largest_packet) {}

void forwarder::receive(direction towards) {
  one_way& way = path(towards);
  for (int i = 0; i < packets_a_turn; ++i) {
    const ssize_t size = ::read(way.from, arriving_.data(), arriving_.size());
    // Mostly EAGAIN. An interface that its side has taken down reads EIO; it may come back.
    if (size <= 0) return;
    // The time of each: a packet that came while we read the ones before it must not leave too early.
    way.line.enter(packet(arriving_.begin(), arriving_.begin() + size), now());
  }
}

void forwarder::deliver() {
  for (one_way& way : paths_) {
    for (int i = 0; i < packets_a_turn; ++i) {
      const auto arrived = way.line.leave(now());
      if (!arrived) break;
      // As on a real line nobody hears about a packet that the other side cannot take.
      [[maybe_unused]] const auto written = ::write(way.to, arrived->data(), arrived->size());
    }
  }
}

time_point forwarder::deadline() const noexcept {
  return std::min(paths_[0].line.deadline(), paths_[1].line.deadline());
}

} // namespace gotunnel::wan
