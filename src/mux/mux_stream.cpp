#include "gotunnel/mux/mux_stream.hpp"

#include "gotunnel/mux/session.hpp"
#include "gotunnel/net/deadline.hpp"

#include <fmt/format.h>

#include <cassert>
#include <utility>

namespace gotunnel::mux {
namespace {

errc meaning_of(wire::smux_reset_reason reason) noexcept {
  switch (reason) {
  case wire::smux_reset_reason::aborted: return errc::reset;
  case wire::smux_reset_reason::unreachable: return errc::unreachable;
  case wire::smux_reset_reason::too_many_streams: return errc::too_many_streams;
  case wire::smux_reset_reason::not_read: return errc::not_read;
  }
  return errc::reset;
}

} // namespace

mux_stream::mux_stream(std::shared_ptr<session> owner, wire::stream_id id)
    : owner_(std::move(owner)), id_(id), readable_(owner_->where_), writable_(owner_->where_) {}

mux_stream::~mux_stream() { close(net::ending::abort); }

net::task<bytes_view> mux_stream::read() {
  while (unread_.empty()) {
    if (peer_finished_) co_return bytes_view();
    if (failure_) co_return failure_;
    co_await readable_.wait();
  }
  co_return unread_.front();
}

void mux_stream::consume(std::size_t count) {
  if (count == 0) return;
  unread_.pop(count);
  if (!known_) return;
  owner_->core_.consumed(id_, count, std::chrono::steady_clock::now());
  owner_->wake();
}

/// What the core borrows until it says that it has sent it: a cancelled writer takes it back on its way out.
/// What was to be the end is none then.
class mux_stream::offering {
public:
  offering(mux_stream& stream, bool last) : self_(stream), last_(last) {
    self_.offered_ = true;
    self_.owner_->wake();
  }
  offering(const offering&) = delete;
  offering& operator=(const offering&) = delete;
  ~offering() {
    const bool untold = self_.offered_ && self_.known_;
    self_.offered_ = false;
    if (untold && last_) self_.reset(wire::smux_reset_reason::aborted);
    if (untold) self_.owner_->core_.withdraw(self_.id_);
  }

  /// Neither sent nor failed. A peer without RST may have forgotten the stream when it sent its FIN.
  [[nodiscard]] bool waits() {
    if (!self_.offered_ || self_.failure_) return false;
    session& owner = *self_.owner_;
    if (self_.peer_finished_ && !owner.peer_resets_ && !forgotten_)
      forgotten_.emplace(owner.where_, owner.forgotten_after_, [this] { self_.forgotten_by_peer(); });
    return true;
  }

private:
  mux_stream& self_;
  bool last_;
  std::optional<net::deadline> forgotten_;
};

result<> mux_stream::may_send() const {
  if (failure_) return failure_;
  if (!known_) return errc::closed;
  return {};
}

net::task<> mux_stream::send(bytes_view bytes, bool last) {
  if (const auto may = may_send(); !may) co_return may.error();
  if (bytes.empty()) co_return result<>();
  const auto taken = owner_->core_.submit(id_, bytes);
  if (!taken) co_return taken.error();
  if (last) owner_->core_.finish(id_); // the FIN leaves in the batch of the last byte
  offering borrowed(*this, last);
  while (borrowed.waits()) co_await writable_.wait();
  if (offered_) co_return failure_;
  shut_ |= last;
  co_return result<>();
}

net::task<byte_source::taken> mux_stream::write_from(byte_source& source) {
  struct noted_source final : byte_source {
    noted_source(mux_stream& stream, byte_source& inner) : self(stream), from(inner) {}
    taken take(bytes_span room) override {
      const taken got = from.take(room);
      all.count += got.count;
      self.shut_ |= all.last = got.last; // at once, for whoever saves the stream
      return got;
    }
    next look() override { return from.look(); }
    mux_stream& self;
    byte_source& from;
    taken all;
  } noted(*this, source);

  if (const auto may = may_send(); !may) co_return may.error();
  // What may wait for long has to be there: an end needs no window, and a failure is told at once.
  if (shut_ || !owner_->sends(id_)) {
    const auto next = source.look();
    if (next == byte_source::next::end) {
      if (const auto told = co_await shut(); !told) co_return told.error();
      co_return byte_source::taken{0, true};
    }
    if (next != byte_source::next::bytes) co_return byte_source::taken{};
  }
  const auto offered = owner_->core_.submit(id_, noted);
  if (!offered) co_return offered.error();
  offering borrowed(*this, false);
  while (borrowed.waits()) co_await writable_.wait();
  if (offered_) co_return failure_;
  co_return noted.all;
}

net::task<> mux_stream::shut() {
  if (failure_) co_return failure_;
  shut_ = true;
  if (known_) owner_->core_.finish(id_);
  owner_->wake();
  co_return result<>();
}

void mux_stream::close(net::ending) { reset(wire::smux_reset_reason::aborted); }

void mux_stream::reset(wire::smux_reset_reason reason) {
  if (failure_) return;
  // A stream that has ended both ways, and was read to its end, has nothing to tell.
  const bool complete = shut_ && peer_finished_ && unread_.empty();
  if (!complete && known_) owner_->core_.reset(id_, reason);
  fail(errc::closed);
  owner_->wake();
}

net::task<> mux_stream::wait_writable() { co_return result<>(); }

std::string mux_stream::peer() const { return fmt::format("stream {} of {}", id_, owner_->peer_); }

void mux_stream::prioritize() {
  if (known_) owner_->core_.prioritize(id_);
}

void mux_stream::received(bytes_view bytes) {
  unread_.push(bytes);
  readable_.notify();
}

void mux_stream::finished_by_peer() {
  peer_finished_ = true;
  readable_.notify();
  writable_.notify();
}

void mux_stream::reset_by_peer(wire::smux_reset_reason reason) { fail(meaning_of(reason)); }

/// The reader keeps what it was lent, and what came before the FIN.
void mux_stream::forgotten_by_peer() {
  if (failure_) return;
  owner_->core_.reset(id_, wire::smux_reset_reason::aborted);
  fail(errc::reset);
  owner_->wake();
}

/// Memory is short, and the reader does not read. It keeps what it was lent: it may be writing it somewhere.
void mux_stream::not_read() {
  if (failure_) return;
  owner_->core_.reset(id_, wire::smux_reset_reason::not_read);
  unread_.keep_front();
  peer_finished_ = false; // bytes are missing: what is left has no good end
  fail(errc::not_read);
  owner_->wake();
}

void mux_stream::sent() {
  offered_ = false;
  writable_.notify();
}

void mux_stream::fail(error_code why) {
  if (!failure_) failure_ = why;
  known_ = false;
  owner_->forget(*this);
  if (why == errc::closed) unread_.clear();
  readable_.notify();
  writable_.notify();
  if (const auto tell = std::exchange(tell_failure_, {})) tell();
}

void mux_stream::on_failure(std::function<void()> tell) {
  if (failure_ && tell) return tell();
  tell_failure_ = std::move(tell);
}

} // namespace gotunnel::mux
