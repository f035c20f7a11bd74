#include "gotunnel/wire/resume.hpp"

#include <algorithm>
#include <cassert>

namespace gotunnel::wire {
namespace {

// Room for an ACK: transmit() takes no less.
constexpr std::size_t least_batch = 64;

} // namespace

bool resume::wants_write() const noexcept {
  if (written_ < log_.end()) return true;
  return full() ? core_.ack_due() : core_.wants_transmit();
}

bytes_view resume::next(time_point now, std::size_t most) {
  if (written_ == log_.end() && wants_write()) {
    // A full log must not keep the ACK back that would empty the peer's.
    const bytes_span room = log_.room();
    const std::size_t left = std::max(full() ? 0 : limit_ - log_.size(), least_batch);
    log_.commit(core_.transmit(room.first(std::min({room.size(), left, most})), now));
  }
  return log_.from(written_);
}

void resume::set_limit(std::uint64_t limit) noexcept {
  limit_ =
      static_cast<std::size_t>(std::min<std::uint64_t>(std::max<std::uint64_t>(limit, least_limit), most_));
}

void resume::wrote(std::size_t count) noexcept {
  written_ += count;
  assert(written_ <= log_.end());
  settle();
}

void resume::settle() noexcept {
  const std::uint64_t done = keep_ ? std::min(core_.acknowledged(), written_) : written_;
  if (done > log_.begin()) log_.acknowledge(done);
}

result<> resume::attach(std::uint64_t peer_received, time_point now) noexcept {
  if (!serves(peer_received)) return errc::broken_frame;
  if (const result<> sane = core_.attach(peer_received, now); !sane) return sane.error();
  written_ = peer_received;
  settle();
  return {};
}

void resume::save(record_writer& to) const {
  core_.save(to);
  log_.save(to);
}

result<> resume::load(record_reader& from) {
  core_.load(from);
  log_.load(from);
  written_ = log_.end();
  from.require(log_.begin() <= core_.acknowledged() && core_.acknowledged() <= log_.end());
  from.require(log_.end() == core_.transmitted());
  if (from.broken()) return errc::broken_frame;
  settle();
  return {};
}

} // namespace gotunnel::wire
