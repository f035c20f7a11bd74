#include "interop/core_driver.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace gotunnel::testing {
namespace {

constexpr std::size_t buffer_size = 256UL * 1024;

time_point now() { return std::chrono::steady_clock::now(); }

error_code system_failure() { return {errno, boost::system::system_category()}; }

bool again() { return errno == EAGAIN || errno == EINTR; }

} // namespace

core_driver::core_driver(loopback_socket socket, const wire::smux_config& config)
    : socket_(std::move(socket)), core_(config, now()), in_(buffer_size), out_(buffer_size) {
  socket_.set_nonblocking();
}

void core_driver::adopt(wire::stream_id id, std::unique_ptr<stream_user> user) {
  user->driver = this;
  user->id = id;
  streams_[id] = {std::move(user), false};
  wake(id);
}

void core_driver::wake(wire::stream_id id) {
  entry& stream = streams_.at(id);
  if (stream.offered || !core_.alive(id)) return;
  const bytes_view bytes = stream.user->next();
  if (bytes.empty()) return;
  stream.offered = true;
  if (const auto submitted = core_.submit(id, bytes); !submitted) {
    throw std::runtime_error("submit: " + submitted.error().message());
  }
}

void core_driver::consumed(wire::stream_id id, std::size_t count) { core_.consumed(id, count, now()); }

error_code core_driver::take_events() {
  while (true) {
    const auto next = core_.poll();
    if (!next) return next.error();
    if (!*next) return {};
    const wire::smux_event& event = **next;
    if (event.what == wire::smux_event::kind::opened) {
      if (!on_open) throw std::runtime_error("the peer opened a stream that nobody expects");
      adopt(event.id, on_open());
      continue;
    }
    stream_user& user = *streams_.at(event.id).user;
    switch (event.what) {
    case wire::smux_event::kind::data: user.received(event.bytes); break;
    case wire::smux_event::kind::finished: user.ended(); break;
    case wire::smux_event::kind::reset: user.was_reset(); break;
    case wire::smux_event::kind::opened: break;
    }
  }
}

error_code core_driver::receive() {
  const ssize_t count = ::recv(socket_.descriptor(), in_.data(), in_.size(), 0);
  if (count < 0) return again() ? error_code{} : system_failure();
  if (count == 0) {
    ended_ = true;
    return {};
  }
  const bytes_view bytes(in_.data(), static_cast<std::size_t>(count));
  ledger_.inbound(bytes);
  core_.feed(bytes, now());
  return take_events();
}

error_code core_driver::send() {
  while (true) {
    if (unsent_.empty()) {
      unsent_ = bytes_view(out_).first(core_.transmit(out_, now()));
      ledger_.outbound(unsent_);
      while (const auto id = core_.poll_sent()) {
        streams_.at(*id).offered = false;
        wake(*id);
      }
    }
    if (unsent_.empty()) return {};
    const ssize_t count = ::send(socket_.descriptor(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (count < 0) return again() ? error_code{} : system_failure();
    unsent_ = unsent_.subspan(static_cast<std::size_t>(count));
    // What arrived meanwhile must not wait for a source that never runs dry.
    if (unsent_.empty()) return {};
  }
}

error_code core_driver::step(time_point until) {
  pollfd watched{socket_.descriptor(), 0, 0};
  // A peer that filled the memory budget is not read any further; that alone must never happen in these tests
  // for long.
  if (!core_.over_budget() && !ended_) watched.events |= POLLIN;
  if (!unsent_.empty() || core_.wants_transmit()) watched.events |= POLLOUT;
  const duration wait = std::min(until, core_.deadline()) - now();
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(std::clamp<duration>(wait, 0s, 10s));
  if (::poll(&watched, 1, static_cast<int>(rounded.count())) < 0 && errno != EINTR) return system_failure();
  if ((watched.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
    if (const error_code failure = receive()) return failure;
  }
  if ((watched.revents & POLLOUT) != 0) {
    if (const error_code failure = send()) return failure;
  }
  if (now() < core_.deadline()) return {};
  const auto ticked = core_.tick(now());
  return ticked ? error_code{} : ticked.error();
}

error_code core_driver::run_until(const std::function<bool()>& done, duration limit) {
  const time_point until = now() + limit;
  while (!done()) {
    if (ended_) return errc::end_of_stream;
    if (now() >= until) return errc::timed_out;
    if (const error_code failure = step(until)) return failure;
  }
  return {};
}

error_code core_driver::leave() {
  if (const error_code failure = run_until([&] { return unsent_.empty() && !core_.wants_transmit(); }))
    return failure;
  socket_.shutdown_write();
  return await_end();
}

error_code core_driver::await_end() {
  return run_until([&] { return ended_; }, 20s);
}

} // namespace gotunnel::testing
