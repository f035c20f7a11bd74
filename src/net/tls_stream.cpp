#include "gotunnel/net/tls_stream.hpp"

#include "gotunnel/net/deadline.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace gotunnel::net {
namespace {

// Opened together: whole records, so that frames which fill records stay in one piece.
constexpr std::size_t opened_at_once = 4 * crypto::tls_engine::record_plain;
// Sealed together: sixteen records of 16 KiB fill a huge block with what TLS adds to them.
constexpr std::size_t batch = 16 * crypto::tls_engine::record_plain;
// Reads without a wait. Full records come to four or five before there is nothing left; thousands of tiny
// ones take milliseconds.
constexpr int reads_in_a_turn = 16;
// A key that cannot be changed has so little of its life left when the stream is to be replaced: 7 million
// records, which leave time for a quiet moment, and 2 million.
constexpr double worn_a_little = 0.3;
constexpr double worn_out = 0.1;

} // namespace

tls_stream::tls_stream(const crypto::tls_context& context, stream_ptr below, crypto::key_limits keys)
    : engine_(context, keys), below_(std::move(below)) {}

task<> tls_stream::handshake() {
  for (;;) {
    const auto progress = engine_.handshake();
    const auto flushed = co_await flush(); // an alert, too, is worth sending
    if (!progress) co_return progress.error();
    if (!flushed) co_return flushed.error();
    if (*progress == crypto::tls_engine::progress::done) co_return result<>();
    const auto more = co_await fetch();
    if (!more) co_return more.error();
    if (*more == 0) co_return errc::end_of_stream;
  }
}

/// Sends what the engine wants to say on its own account: handshake messages, alerts, key updates. Only the
/// writing side calls it, so records leave in the order in which they were sealed.
task<> tls_stream::flush() {
  if (engine_.pending_output() == 0) co_return result<>();
  block out(block_size::medium);
  while (engine_.pending_output() > 0) {
    const std::size_t size = engine_.take_output(out.span());
    const auto sent = co_await below_->write(out.span().first(size));
    if (!sent) co_return sent.error();
  }
  co_return result<>();
}

/// Gives the engine more cipher text: how much, or 0 at the end of the stream below.
task<std::size_t> tls_stream::fetch() {
  assert(engine_.pending_input() == 0);
  below_->consume(lent_);
  lent_ = 0;
  unfetched_ = 0;
  const auto cipher = co_await below_->read();
  if (!cipher) co_return cipher.error();
  if (cipher->empty()) co_return std::size_t{0};
  lent_ = cipher->size();
  if (lent_ > input_left_) co_return errc::limit_exceeded;
  if (input_left_ != unlimited) input_left_ -= lent_;
  engine_.feed(*cipher);
  co_return lent_;
}

task<bytes_view> tls_stream::read() {
  if (begin_ < end_) co_return bytes_view(plain_.span().subspan(begin_, end_ - begin_));
  for (;;) {
    if (engine_.pending_input() > 0) {
      if (++unfetched_ > reads_in_a_turn) {
        unfetched_ = 0;
        co_await give_way();
      }
      // Whoever may not send much gets no room for much.
      const bool little =
          input_left_ != unlimited || engine_.pending_input() <= static_cast<std::size_t>(block_size::small);
      if (!plain_) plain_ = block(little ? block_size::small : block_size::large);
      const auto count = engine_.read(plain_.span().first(std::min(plain_.size(), opened_at_once)));
      if (!count) co_return count.error();
      if (*count > 0) {
        begin_ = 0;
        end_ = *count;
        co_return bytes_view(plain_.span().first(end_));
      }
    }
    plain_ = block();
    // A record that is broken behind good ones is told here: its bytes are gone, and no more input would be
    // looked at.
    const auto sound = engine_.read({});
    if (!sound) co_return sound.error();
    if (engine_.closed()) co_return bytes_view();
    const auto more = co_await fetch();
    if (!more) co_return more.error();
    if (*more == 0) co_return errc::end_of_stream;
  }
}

void tls_stream::consume(std::size_t count) {
  assert(count <= end_ - begin_);
  begin_ += count;
}

task<> tls_stream::write(bytes_view bytes) {
  // What a read() made the engine say (the answer to a key update) was sealed before these bytes and must
  // precede them.
  const auto flushed = co_await flush();
  if (!flushed) co_return flushed.error();
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), batch);
    block out(size <= 3 * 1024    ? block_size::small
              : size <= 48 * 1024 ? block_size::large
                                  : block_size::huge);
    std::size_t filled = 0;
    const auto sealed = engine_.write(bytes.first(size), out.span(), filled);
    if (!sealed) co_return sealed.error();
    const auto sent = co_await below_->write(out.span().first(filled));
    if (!sent) co_return sent.error();
    bytes = bytes.subspan(size);
  }
  co_return result<>();
}

task<> tls_stream::shut() {
  engine_.shut();
  const auto flushed = co_await flush();
  if (!flushed) co_return flushed.error();
  co_return co_await below_->shut();
}

bool tls_stream::worn(bool disturbs_nobody) const {
  return engine_.key_life() < (disturbs_nobody ? worn_a_little : worn_out);
}

bool tls_stream::move_to(const executor& where) {
  if (begin_ < end_ || engine_.pending_input() > 0) return false;
  // Blocks go back to the pool of the thread that they came from.
  plain_ = block();
  below_->consume(std::exchange(lent_, 0));
  return below_->move_to(where);
}

void tls_stream::close(ending how) { below_->close(how); }

} // namespace gotunnel::net
