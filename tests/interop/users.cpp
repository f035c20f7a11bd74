#include "interop/users.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace gotunnel::testing {
namespace {

constexpr std::size_t piece = 256UL * 1024;

void require(int outcome) {
  if (outcome != 1) throw std::runtime_error("SHA-256 failed");
}

} // namespace

void noise::fill(bytes_span to) noexcept {
  while (!to.empty()) {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const std::uint64_t value = state_ * 0x2545f4914f6cdd1dULL;
    const std::size_t count = std::min(to.size(), sizeof value);
    std::memcpy(to.data(), &value, count);
    to = to.subspan(count);
  }
}

sha256::sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  require(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void sha256::update(bytes_view bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::array<std::byte, sha256::size> sha256::finish() {
  std::array<std::byte, size> sum{};
  require(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(sum.data()), nullptr));
  return sum;
}

// --- round_trip_user

bytes_view round_trip_user::next() {
  out_.resize(std::min(piece, length_ - sent_));
  source_.fill(out_);
  sent_ += out_.size();
  // FIN stays behind the bytes of its own stream, so it can be asked for as soon as all of them have gone
  // out.
  if (out_.empty() && eager_ && !std::exchange(finished_, true)) driver->finish(id);
  return out_;
}

void round_trip_user::received(bytes_view bytes) {
  const std::size_t count = bytes.size();
  back_ += count;
  while (!bytes.empty()) {
    if (want_at_ == want_.size()) {
      // The same cuts as when it was sent, so that both noises agree.
      want_.resize(piece);
      expected_.fill(want_);
      want_at_ = 0;
    }
    const std::size_t part = std::min(bytes.size(), want_.size() - want_at_);
    if (!std::ranges::equal(bytes.first(part), bytes_view(want_).subspan(want_at_, part))) broken_ = true;
    want_at_ += part;
    bytes = bytes.subspan(part);
  }
  driver->consumed(id, count);
  if (back_ == length_ && !eager_) driver->finish(id);
}

// --- echo_user

bytes_view echo_user::next() {
  if (!going_.empty()) driver->consumed(id, going_.size());
  going_.clear();
  std::swap(going_, waiting_);
  if (going_.empty() && ended_ && !finished_) {
    finished_ = true;
    driver->finish(id);
  }
  return going_;
}

void echo_user::received(bytes_view bytes) {
  waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
  driver->wake(id);
}

void echo_user::ended() {
  ended_ = true;
  driver->wake(id);
}

// --- blob_user

bytes_view blob_user::next() {
  if (!speaks_) return {};
  switch (stage_) {
  case stage::head:
    out_.resize(sizeof length_);
    store_be64(out_, length_);
    stage_ = length_ == 0 ? stage::digest : stage::body;
    return out_;
  case stage::body:
    out_.resize(std::min<std::uint64_t>(piece, length_ - produced_));
    source_.fill(out_);
    sent_digest_.update(out_);
    produced_ += out_.size();
    if (produced_ == length_) stage_ = stage::digest;
    return out_;
  case stage::digest: {
    const auto sum = sent_digest_.finish();
    out_.assign(sum.begin(), sum.end());
    stage_ = stage::last;
    return out_;
  }
  case stage::last: // asked again: the digest has gone out
    stage_ = stage::over;
    finish_when_done();
    return {};
  case stage::over: return {};
  }
  return {};
}

void blob_user::received(bytes_view bytes) {
  if (held_) {
    kept_.insert(kept_.end(), bytes.begin(), bytes.end());
    return;
  }
  take(bytes);
  driver->consumed(id, bytes.size());
  if (!speaks_) {
    speaks_ = true;
    driver->wake(id);
  }
}

void blob_user::release() {
  held_ = false;
  const std::vector<std::byte> bytes = std::move(kept_);
  kept_ = {};
  received(bytes);
}

void blob_user::take(bytes_view bytes) {
  while (!bytes.empty()) {
    if (verified_) {
      broken_ = true; // more than was announced
      return;
    }
    if (left_ > 0) {
      const bytes_view part = bytes.first(std::min<std::uint64_t>(left_, bytes.size()));
      digest_.update(part);
      left_ -= part.size();
      bytes = bytes.subspan(part.size());
      continue;
    }
    const std::size_t wanted = head_done_ ? sha256::size : sizeof left_;
    const bytes_view part = bytes.first(std::min(wanted - frame_.size(), bytes.size()));
    frame_.insert(frame_.end(), part.begin(), part.end());
    bytes = bytes.subspan(part.size());
    if (frame_.size() < wanted) return;
    if (!head_done_) {
      left_ = load_be64(frame_);
      head_done_ = true;
    } else {
      broken_ = !std::ranges::equal(digest_.finish(), frame_);
      verified_ = !broken_;
      finish_when_done();
    }
    frame_.clear();
  }
}

void blob_user::ended() {
  ended_ = true;
  if (!verified_ || stage_ != stage::over) broken_ = true;
  finish_when_done();
}

void blob_user::finish_when_done() {
  if (done() && !std::exchange(finished_, true)) driver->finish(id);
}

} // namespace gotunnel::testing
