#include "load.hpp"
#include "poller.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace bench {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds between_samples{50};
constexpr milliseconds drain_limit{3000};

struct sample {
  double at;
  std::uint64_t bytes;
};

double seconds(clock::time_point at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }

/// What uploads brought: the service knows, so it is asked directly.
class service_count {
public:
  explicit service_count(std::uint16_t port) : socket_(dial({.port = port})) {}

  std::uint64_t ask() {
    const std::byte question{count_mark};
    send_all(socket_, {&question, 1});
    std::string line;
    while (line.empty() || line.back() != '\n') {
      char c = 0;
      if (receive_some(socket_, std::as_writable_bytes(std::span(&c, 1))) == 0) {
        throw std::runtime_error("the service left");
      }
      line += c;
    }
    return std::stoull(line);
  }

private:
  descriptor socket_;
};

class streams {
public:
  explicit streams(const flood_plan& plan)
      : mark_(plan.upload ? upload_mark : download_mark), block_(flood_block, mark_), count_(plan.service),
        before_(plan.upload ? count_.ask() : 0) {
    const std::byte first{static_cast<unsigned char>(mark_)};
    for (std::size_t i = 0; i < plan.streams; ++i) {
      const descriptor& made = sockets_.emplace_back(dial({.port = plan.ports[i % plan.ports.size()]}));
      if (sockets_.size() > crowd) limit_unsent(made.get(), crowded_unsent);
      send_all(made, {&first, 1});
      poller_.add(made.get(), plan.upload ? EPOLLOUT : EPOLLIN, mark_);
    }
    open_ = sockets_.size();
  }

  /// One turn of whoever can go on.
  void step(milliseconds limit) {
    for (const auto& [number, mark, events] : poller_.wait(limit)) {
      const ssize_t done = mark == upload_mark
                               ? send(number, block_.data(), block_.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                               : recv(number, block_.data(), block_.size(), MSG_DONTWAIT);
      if (done > 0) {
        if (mark == download_mark) received_ += static_cast<std::uint64_t>(done);
      } else if (done == 0 || (errno != EAGAIN && errno != EINTR)) {
        poller_.remove(number);
        --open_;
      }
    }
  }

  sample take_sample() {
    const std::uint64_t bytes = mark_ == upload_mark ? count_.ask() - before_ : received_;
    return {seconds(clock::now()), bytes};
  }

  /// What was on its way has arrived; the tunnel has done all the work that it will be charged with.
  std::uint64_t drain() {
    for (const descriptor& socket : sockets_) {
      shutdown(socket.get(), SHUT_WR);
      if (mark_ == upload_mark) poller_.remove(socket.get());
    }
    sample last = take_sample();
    for (const auto end = clock::now() + drain_limit; clock::now() < end;) {
      for (const auto soon = clock::now() + between_samples; clock::now() < soon && open_ > 0;) {
        step(milliseconds{10});
      }
      const sample now = take_sample();
      if (now.bytes == last.bytes) break;
      last = now;
    }
    return last.bytes;
  }

  [[nodiscard]] std::size_t open() const noexcept { return open_; }

private:
  char mark_;
  std::string block_;
  service_count count_;
  std::uint64_t before_;
  std::uint64_t received_ = 0;
  poller poller_;
  std::vector<descriptor> sockets_;
  std::size_t open_ = 0;
};

} // namespace

int flood(const flood_plan& plan) {
  streams all(plan);
  sample start = all.take_sample();
  for (const auto end = clock::now() + std::chrono::seconds(10); start.bytes <= plan.streams;) {
    if (clock::now() > end) throw std::runtime_error("nothing arrives");
    all.step(milliseconds{10});
    start = all.take_sample();
  }
  std::puts("flowing");
  std::fflush(stdout);

  std::vector<sample> samples{start};
  auto next = clock::now() + between_samples;
  for (const auto end = clock::now() + plan.length; clock::now() < end;) {
    all.step(milliseconds{10});
    if (clock::now() < next) continue;
    next += between_samples;
    samples.push_back(all.take_sample());
  }
  samples.push_back(all.take_sample());
  const std::size_t survivors = all.open();
  const std::uint64_t drained = all.drain();

  std::printf("{\"streams\": %zu, \"survivors\": %zu, \"drained\": %" PRIu64 ", \"samples\": [", plan.streams,
              survivors, drained);
  for (const char* comma = ""; const auto& [at, bytes] : samples) {
    std::printf("%s[%.6f, %" PRIu64 "]", comma, at, bytes);
    comma = ", ";
  }
  std::puts("]}");
  return 0;
}

} // namespace bench
