#include "load.hpp"
#include "poller.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>
#include <thread>

namespace bench {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds for_ever{-1};

std::atomic<std::uint64_t> swallowed{0};

bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

/// Bulk in both directions.
class flood_room {
public:
  void admit(int socket, char mark) {
    if (++open_ > crowd) limit_unsent(socket, crowded_unsent);
    poller_.add(socket, mark == upload_mark ? EPOLLIN : EPOLLIN | EPOLLOUT, mark);
  }

  void run() {
    std::string block(flood_block, download_mark);
    for (;;) {
      for (const auto& [number, mark, events] : poller_.wait(for_ever)) {
        const bool goes_on = mark == upload_mark ? swallow(number, block) : send_more(number, events, block);
        if (goes_on) continue;
        close(number); // epoll forgets it, too
        --open_;
      }
    }
  }

private:
  static bool swallow(int socket, std::string& block) {
    const ssize_t got = recv(socket, block.data(), block.size(), MSG_DONTWAIT);
    if (got > 0) swallowed.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
    return got > 0 || (got < 0 && would_block());
  }

  static bool send_more(int socket, std::uint32_t events, const std::string& block) {
    if ((events & ~std::uint32_t{EPOLLOUT}) != 0) return false; // the visitor has ended its side
    const ssize_t sent = send(socket, block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0 || would_block();
  }

  poller poller_;
  std::atomic<std::size_t> open_ = 0;
};

/// Echo, counts, and everybody who has not said what it wants.
class talk_room {
public:
  explicit talk_room(flood_room& floods) : floods_(floods) {}

  void admit(int socket) { poller_.add(socket, EPOLLIN, 0); }

  void run() {
    std::string block(flood_block, '\0');
    for (;;) {
      for (const auto& [number, mark, events] : poller_.wait(for_ever)) {
        const ssize_t got = recv(number, block.data(), block.size(), MSG_DONTWAIT);
        if (got < 0 && would_block()) continue;
        if (got <= 0 || !answer(number, std::string_view(block).substr(0, static_cast<std::size_t>(got)))) {
          close(number);
        }
      }
    }
  }

private:
  /// Answers are short and asked for one at a time: they never fill a socket, so sending may block.
  bool answer(int socket, std::string_view said) {
    switch (said.front()) {
    case echo_mark: return send(socket, said.data(), said.size(), MSG_NOSIGNAL) >= 0;
    case count_mark: {
      const std::string line = std::to_string(swallowed.load(std::memory_order_relaxed)) + '\n';
      return send(socket, line.data(), line.size(), MSG_NOSIGNAL) >= 0;
    }
    case upload_mark: swallowed.fetch_add(said.size(), std::memory_order_relaxed); [[fallthrough]];
    case download_mark:
      poller_.remove(socket);
      floods_.admit(socket, said.front());
      return true;
    default: return false;
    }
  }

  flood_room& floods_;
  poller poller_;
};

} // namespace

int serve(std::uint16_t port) {
  const descriptor listener = listen_on(port);
  flood_room floods;
  talk_room talk(floods);
  const std::jthread bulk([&] { floods.run(); });
  const std::jthread echo([&] { talk.run(); });
  for (;;) talk.admit(accept_from(listener).release());
}

} // namespace bench
