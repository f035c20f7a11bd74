#include "load.hpp"
#include "sockets.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <thread>

namespace bench {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;
using micros = std::chrono::duration<double, std::micro>;

constexpr std::size_t message_size = 64;
constexpr int warm_up = 100;

double round_trip(const descriptor& socket) {
  std::array<std::byte, message_size> message;
  message.fill(std::byte{echo_mark});
  const auto start = clock::now();
  send_all(socket, message);
  for (std::size_t got = 0; got < message.size();) {
    const std::size_t part = receive_some(socket, std::span(message).subspan(got));
    if (part == 0) throw std::runtime_error("the echo ended");
    got += part;
  }
  return micros(clock::now() - start).count();
}

double percentile(const std::vector<double>& sorted, double share) {
  return sorted[std::min(sorted.size() - 1,
                         static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

} // namespace

int ping_pong(std::uint16_t port, std::chrono::duration<double> length, milliseconds pace) {
  const descriptor socket = dial({.port = port});
  for (int i = 0; i < warm_up; ++i) round_trip(socket);
  std::vector<double> trips;
  auto next = clock::now();
  for (const auto end = next + length; clock::now() < end;) {
    trips.push_back(round_trip(socket));
    if (pace.count() == 0) continue;
    while (next <= clock::now()) next += pace; // what a stall made late is left out, not sent in a burst
    std::this_thread::sleep_until(next);
  }
  if (trips.empty()) throw std::runtime_error("no message came back in time");
  std::ranges::sort(trips);
  std::printf("{\"messages\": %zu, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
              "\"max_us\": %.1f}\n",
              trips.size(), percentile(trips, 0.5), percentile(trips, 0.9), percentile(trips, 0.99),
              percentile(trips, 0.999), trips.back());
  return 0;
}

} // namespace bench
