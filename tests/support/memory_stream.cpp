#include "support/memory_stream.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace gotunnel::testing {

using net::ending;

void memory_end::fail(step which, std::size_t nth, error_code why) {
  faults_[index(which)] = {calls_[index(which)] + nth, why};
}

void memory_end::stall(step which) { stalled_[index(which)] = true; }

void memory_end::resume(step which) {
  stalled_[index(which)] = false;
  changed_.notify();
}

void memory_end::cut(error_code why) {
  ended_ = true;
  broken_ = why;
  changed_.notify();
}

void memory_end::break_off(error_code why) {
  cut(why);
  if (const auto tell = std::exchange(tell_failure_, {})) tell();
}

result<> memory_end::enter(step which) {
  const std::size_t call = ++calls_[index(which)];
  const fault& due = faults_[index(which)];
  if (call >= due.after) return due.why;
  if (closed_) return errc::closed;
  return {};
}

memory_stream::memory_stream(std::shared_ptr<memory_end> here, std::shared_ptr<memory_end> there,
                             std::string peer)
    : here_(std::move(here)), there_(std::move(there)), peer_(std::move(peer)) {}

memory_stream::~memory_stream() { close(ending::abort); }

net::task<bytes_view> memory_stream::read() {
  const auto allowed = here_->enter(step::read);
  if (!allowed) co_return allowed.error();
  memory_end& at = *here_;
  for (;;) {
    if (at.closed_) co_return errc::closed;
    if (at.lent_begin_ < at.lent_.size()) co_return bytes_view(at.lent_).subspan(at.lent_begin_);
    if (!at.stalled(step::read)) {
      if (!at.inbox_.empty()) {
        const auto count = static_cast<std::ptrdiff_t>(std::min(at.piece, at.inbox_.size()));
        at.lent_.assign(at.inbox_.begin(), at.inbox_.begin() + count);
        at.inbox_.erase(at.inbox_.begin(), at.inbox_.begin() + count);
        at.lent_begin_ = 0;
        co_return bytes_view(at.lent_);
      }
      if (at.broken_) co_return at.broken_;
      if (at.ended_) co_return bytes_view();
    }
    co_await at.changed_.wait();
  }
}

void memory_stream::consume(std::size_t count) {
  assert(count <= here_->lent_.size() - here_->lent_begin_);
  here_->lent_begin_ += count;
  if (here_->lent_begin_ == here_->lent_.size()) {
    // Fresh memory for the next loan, so that whoever keeps a view of the old one is found out.
    here_->lent_ = {};
    here_->lent_begin_ = 0;
  }
  there_->changed_.notify();
}

byte_source::taken memory_stream::take(bytes_span room) {
  memory_end& at = *here_;
  const std::size_t count = std::min({room.size(), at.lent_.size() - at.lent_begin_, at.piece});
  std::copy_n(at.lent_.data() + at.lent_begin_, count, room.data());
  if (count > 0) consume(count);
  return {count, at_end() && at.lent_.empty()};
}

byte_source::next memory_stream::look() {
  const memory_end& at = *here_;
  if (!at.lent_.empty() || !at.inbox_.empty()) return next::bytes;
  return at.broken_ || at.closed_ ? next::failure : at.ended_ ? next::end : next::nothing;
}

net::task<> memory_stream::write(bytes_view bytes) {
  const auto allowed = here_->enter(step::write);
  if (!allowed) co_return allowed.error();
  assert(!here_->shut_);
  while (!bytes.empty()) {
    if (here_->closed_) co_return errc::closed;
    if (there_->closed_) co_return errc::reset;
    const std::size_t room = there_->capacity - std::min(there_->capacity, there_->waiting());
    if (here_->stalled(step::write) || room == 0) {
      co_await here_->changed_.wait();
      continue;
    }
    const bytes_view part = bytes.first(std::min(room, bytes.size()));
    there_->inbox_.insert(there_->inbox_.end(), part.begin(), part.end());
    there_->changed_.notify();
    here_->written_ += part.size();
    bytes = bytes.subspan(part.size());
  }
  co_return result<>();
}

net::task<> memory_stream::shut() {
  const auto allowed = here_->enter(step::shut);
  if (!allowed) co_return allowed.error();
  while (here_->stalled(step::shut) && !here_->closed_) co_await here_->changed_.wait();
  if (here_->closed_) co_return errc::closed;
  here_->shut_ = true;
  there_->cut(there_->broken_);
  co_return result<>();
}

void memory_stream::close(ending how) {
  if (here_->closed_) return;
  here_->closed_ = how;
  here_->changed_.notify();
  there_->cut(how == ending::abort ? make_error_code(errc::reset) : there_->broken_);
}

net::task<> memory_stream::wait_writable() {
  const auto allowed = here_->enter(step::wait_writable);
  if (!allowed) co_return allowed.error();
  while (!here_->closed_ && !there_->closed_ &&
         (here_->stalled(step::wait_writable) || there_->waiting() >= there_->capacity))
    co_await here_->changed_.wait();
  if (here_->closed_) co_return errc::closed;
  co_return result<>();
}

memory_pair make_memory_pair(const net::executor& where) {
  memory_pair pair;
  pair.at_a = std::make_shared<memory_end>(where);
  pair.at_b = std::make_shared<memory_end>(where);
  pair.a = std::make_unique<memory_stream>(pair.at_a, pair.at_b, "b");
  pair.b = std::make_unique<memory_stream>(pair.at_b, pair.at_a, "a");
  return pair;
}

} // namespace gotunnel::testing
