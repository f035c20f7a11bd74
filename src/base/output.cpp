#include "gotunnel/base/output.hpp"

#include "gotunnel/base/counters.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace gotunnel {
namespace {

// A pipe that polls as writable takes this much without blocking, and in one piece (pipe(7)).
constexpr std::size_t largest_write = PIPE_BUF;
// While a reader keeps one stream waiting, the other one is looked at this often.
constexpr duration look_again = 100ms;
constexpr duration longest_pause = 1s;

time_point now() { return std::chrono::steady_clock::now(); }

/// For poll(); rounds up, so that a wait does not become a busy loop at its end.
int milliseconds(duration span) {
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(span).count();
  return static_cast<int>(std::clamp<std::int64_t>(whole, 0, INT_MAX));
}

/// Whole lines as far as they fit.
std::string_view next_piece(std::string_view waiting) {
  if (waiting.size() <= largest_write) return waiting;
  const auto line_end = waiting.rfind('\n', largest_write - 1);
  return waiting.substr(0, line_end == waiting.npos ? largest_write : line_end + 1);
}

std::uint64_t lines_of(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

} // namespace

output& output::of_process() {
  static output* const made = [] {
    // A thread may hold the mutex at the moment of a fork; the child would wait for it for ever.
    ::pthread_atfork([] { of_process().before_fork(); }, [] { of_process().in_parent(); },
                     [] { of_process().in_child(); });
    return new output(STDOUT_FILENO, STDERR_FILENO);
  }();
  return *made;
}

output::output(int out, int err) : lanes_{{{err}, {out}}} {}

output::~output() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  spoken_.notify_all();
  if (writer_.joinable()) writer_.join();
}

void output::tell_losses(loss_line make) {
  const std::lock_guard lock(mutex_);
  losses_ = make;
}

void output::say(stream where, std::string_view text) {
  std::unique_lock lock(mutex_);
  lane& to = lanes_[static_cast<std::size_t>(where)];
  const bool full = !to.waiting.empty() && to.waiting.size() + text.size() > queue_limit;
  if (full || to.lost > 0) {
    to.lost += lines_of(text);
    counters::add(counter::log_lines_lost, lines_of(text));
    return;
  }
  to.waiting += text;
  backlog_ += text.size();
  if (started_) return spoken_.notify_one();
  while (write_some(lock, 0ms)) {
  }
}

void output::print(std::string_view text) const {
  pollfd writable{lanes_[static_cast<std::size_t>(stream::out)].descriptor, POLLOUT, 0};
  while (!text.empty()) {
    ::poll(&writable, 1, -1);
    const ssize_t count = ::write(writable.fd, text.data(), text.size());
    if (count > 0)
      text.remove_prefix(static_cast<std::size_t>(count));
    else if (errno != EAGAIN && errno != EINTR)
      return;
  }
}

void output::start() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(started_, true)) return;
  // Signals are for the threads that know what to do about them.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  writer_ = std::thread([this] { write_on(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void output::write_on() {
  ::prctl(PR_SET_NAME, "output");
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (write_some(lock, look_again)) continue;
    auto next_try = never;
    for (const lane& each : lanes_)
      if (!each.waiting.empty()) next_try = std::min(next_try, each.next_try);
    if (writing_)
      settled_.wait(lock);
    else if (next_try == never)
      spoken_.wait(lock);
    else if (next_try > now())
      spoken_.wait_until(lock, next_try);
  }
}

/// Waits at most `limit` until a stream takes something, and writes one piece. False when nothing was tried.
bool output::write_some(std::unique_lock<std::mutex>& lock, duration limit) {
  if (writing_) return false; // that one goes on until nothing is left
  std::array<pollfd, 2> watched{};
  bool any = false;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const bool due = !lanes_[i].waiting.empty() && lanes_[i].next_try <= now();
    watched[i] = {due ? lanes_[i].descriptor : -1, POLLOUT, 0}; // poll() passes over negative ones
    any = any || due;
  }
  if (!any) return false;
  writing_ = true;
  lock.unlock();
  ::poll(watched.data(), watched.size(), milliseconds(limit));
  lock.lock();

  const auto ready =
      std::find_if(watched.begin(), watched.end(), [](const pollfd& each) { return each.revents != 0; });
  if (ready != watched.end()) {
    lane& of = lanes_[static_cast<std::size_t>(ready - watched.begin())];
    // A copy: the queue may move while speakers add to it.
    std::array<char, largest_write> piece;
    const std::size_t size = next_piece(of.waiting).copy(piece.data(), piece.size());
    lock.unlock();
    const ssize_t count = ::write(of.descriptor, piece.data(), size);
    const int error = count < 0 ? errno : 0;
    lock.lock();
    settle(of, count < 0 ? 0 : static_cast<std::size_t>(count), error);
  }
  writing_ = false;
  settled_.notify_all();
  return ready != watched.end();
}

void output::settle(lane& of, std::size_t written, int error) {
  if (error == EINTR) return;
  if (error == EPIPE || error == EBADF) return drop(of);
  of.failing = error != 0 && error != EAGAIN;
  if (error != 0) {
    of.pause = std::clamp<duration>(of.pause * 2, 10ms, longest_pause);
    of.next_try = now() + of.pause;
    return;
  }
  of.pause = {};
  of.next_try = {};
  of.waiting.erase(0, written);
  backlog_ -= written;
  if (of.lost == 0 || of.waiting.size() > queue_limit / 2) return;
  const std::uint64_t lost = std::exchange(of.lost, 0);
  if (losses_ == nullptr || &of != &lanes_[static_cast<std::size_t>(stream::err)]) return;
  const std::string line = losses_(lost);
  of.waiting += line;
  backlog_ += line.size();
}

/// Nobody can read it any more, nor be told.
void output::drop(lane& of) {
  counters::add(counter::log_lines_lost, lines_of(of.waiting));
  backlog_ -= of.waiting.size();
  of.waiting.clear();
  of.lost = 0;
}

bool output::unsaid() const noexcept {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [](const lane& each) { return !each.waiting.empty() && !each.failing; });
}

bool output::flush(duration limit) {
  const time_point until = now() + limit;
  std::unique_lock lock(mutex_);
  while (unsaid() && now() < until) {
    if (started_ || writing_)
      settled_.wait_until(lock, until);
    else if (!write_some(lock, until - now()))
      ::poll(nullptr, 0, 1); // EAGAIN for all that poll() said; another try is due in a moment
  }
  return backlog_ == 0;
}

void output::flush_in_handler(duration limit) const noexcept {
  for (duration waited{}; backlog_ > 0 && waited < limit; waited += 1ms) ::poll(nullptr, 0, 1);
}

/// The queues are the parent's to write, and its threads are not here.
void output::in_child() {
  for (lane& each : lanes_) each = {each.descriptor};
  backlog_ = 0;
  writing_ = started_ = false;
  if (writer_.joinable()) writer_.detach();
  mutex_.unlock();
}

} // namespace gotunnel
