#include "gotunnel/wire/sent_log.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace gotunnel::wire {
namespace {

// A frame between two gotunnels (smux_frame.hpp); what is left of a block below that is not worth cutting
// one.
constexpr std::size_t least_room = 64 * 1024;
// Up to here a batch is copied out of the huge block that it was written to.
constexpr std::size_t small_batch = static_cast<std::size_t>(block_size::medium);
// So many pieces that are given back are worth moving the others to the front of the table.
constexpr std::size_t given_back = 32;

} // namespace

bytes_span sent_log::room() {
  if (!fresh_ && !empty() && pieces_.back().rest().size() >= least_room)
    return pieces_.back().rest().first(std::min(pieces_.back().rest().size(), largest_batch));
  if (!fresh_) fresh_ = block(block_size::huge);
  return fresh_.span().first(largest_batch);
}

void sent_log::commit(std::size_t count) {
  block filled = std::move(fresh_);
  fresh_ = block();
  if (count == 0) return;
  if (!filled)
    pieces_.back().used += count;
  else if (count <= small_batch)
    copy(filled.span().first(count));
  else
    pieces_.push_back({std::move(filled), end_, count});
  end_ += count;
}

void sent_log::copy(bytes_view batch) {
  if (empty() || pieces_.back().rest().size() < batch.size()) {
    const bool few = batch.size() <= static_cast<std::size_t>(block_size::small) / 4;
    pieces_.push_back({block(few ? block_size::small : block_size::medium), end_});
  }
  piece& last = pieces_.back();
  std::memcpy(last.rest().data(), batch.data(), batch.size());
  last.used += batch.size();
}

void sent_log::acknowledge(std::uint64_t offset) noexcept {
  assert(begin_ <= offset && offset <= end_);
  begin_ = offset;
  while (!empty() && pieces_[first_].end() <= offset) pieces_[first_++].memory = block();
  if (empty()) {
    pieces_.clear();
    first_ = 0;
  } else if (first_ >= given_back) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

bytes_view sent_log::from(std::uint64_t offset) const noexcept {
  assert(begin_ <= offset && offset <= end_);
  if (offset == end_) return {};
  const auto holds =
      std::partition_point(pieces_.begin() + static_cast<std::ptrdiff_t>(first_), pieces_.end(),
                           [offset](const piece& each) { return each.end() <= offset; });
  return holds->memory.span().first(holds->used).subspan(static_cast<std::size_t>(offset - holds->begin));
}

void sent_log::save(record_writer& to) const {
  to.put(begin_);
  to.put(std::uint64_t{size()});
  for (std::uint64_t at = begin_; at < end_;) {
    const bytes_view next = from(at);
    to.put_raw(next);
    at += next.size();
  }
}

void sent_log::load(record_reader& from) {
  assert(empty() && end_ == 0);
  begin_ = end_ = from.take<std::uint64_t>();
  for (bytes_view rest = from.take_bytes(); !rest.empty();) {
    const bytes_span to = room();
    const std::size_t count = std::min(rest.size(), to.size());
    std::copy_n(rest.begin(), count, to.begin());
    commit(count);
    rest = rest.subspan(count);
  }
}

} // namespace gotunnel::wire
