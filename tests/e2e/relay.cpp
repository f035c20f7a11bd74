#include "e2e/relay.hpp"

#include "e2e/bulk.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <system_error>
#include <vector>

namespace gotunnel::testing {

relay::relay(std::uint16_t target) : target_(target), thread_([this] { run(); }) {}

relay::~relay() {
  stopping_ = true;
  thread_.join();
}

void relay::cut() {
  const std::lock_guard lock(mutex_);
  for (pair& each : pairs_)
    if (!each.ended) break_off(each);
}

void relay::cut_oldest() {
  const std::lock_guard lock(mutex_);
  for (pair& each : pairs_)
    if (!each.ended) return break_off(each);
}

void relay::break_off(pair& which) {
  reset(which.near);
  reset(which.far);
  end(which);
}

void relay::end(pair& which) {
  which.near = loopback_socket();
  which.far = loopback_socket();
  which.ended = true;
}

void relay::freeze() {
  const std::lock_guard lock(mutex_);
  for (pair& each : pairs_) each.frozen = true;
}

void relay::accept_one() {
  try {
    auto near = listener_.accept();
    if (blocked_) return;
    auto far = loopback_socket::connect(target_);
    pairs_.push_back({std::move(near), std::move(far)});
    ++accepted_;
  } catch (const std::system_error&) {
    // The server is not there: the client sees its connection end.
  }
}

bool relay::forward(const loopback_socket& from, const loopback_socket& to) {
  std::array<char, 256 * 1024> piece;
  const ssize_t count = ::recv(from.descriptor(), piece.data(), piece.size(), MSG_DONTWAIT);
  if (count <= 0) return false;
  try {
    to.write({piece.data(), static_cast<std::size_t>(count)});
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void relay::run() {
  while (!stopping_) {
    std::vector<pollfd> questions{{listener_.descriptor(), POLLIN, 0}};
    {
      const std::lock_guard lock(mutex_);
      for (const pair& each : pairs_) {
        if (each.frozen || each.ended) continue;
        questions.push_back({each.near.descriptor(), POLLIN, 0});
        questions.push_back({each.far.descriptor(), POLLIN, 0});
      }
    }
    if (::poll(questions.data(), questions.size(), 20) <= 0) continue;
    const std::lock_guard lock(mutex_);
    for (const pollfd& answer : questions) {
      if (answer.revents == 0) continue;
      for (pair& each : pairs_) {
        if (each.frozen || each.ended) continue;
        const bool near = each.near.descriptor() == answer.fd;
        if (!near && each.far.descriptor() != answer.fd) continue;
        ++forwarded_;
        if (forward(near ? each.near : each.far, near ? each.far : each.near)) continue;
        // The end of one direction is the end of both: the carrier never half-closes.
        end(each);
      }
    }
    if (questions.front().revents != 0) accept_one();
  }
}

} // namespace gotunnel::testing
