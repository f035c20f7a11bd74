// A session and its streams as records, for the process that takes them over.
#include "gotunnel/mux/session.hpp"

#include <algorithm>

namespace gotunnel::mux {

void session::save(record_writer& to) const {
  to.put_text(peer_);
  out_.save(to);
}

result<> session::load(record_reader& from) {
  peer_ = from.take_text();
  if (const auto loaded = out_.load(from); !loaded) return loaded;
  const auto now = std::chrono::steady_clock::now();
  loss_ = errc::peer_silent; // if it does not come back
  window_ends_ = now + resume_window_;
  hold_.emplace(where_, resume_window_, [this] { abort(loss_); });
  report_memory();
  return {};
}

result<session::loaded_stream> session::load_stream(record_reader& from) {
  const auto id = from.take<wire::stream_id>();
  from.require(core_.alive(id) && !streams_.contains(id));
  if (from.broken()) return errc::broken_frame;
  auto stream = std::make_unique<mux_stream>(shared_from_this(), id);
  adopt(*stream);
  auto unsent = stream->load(from);
  if (!unsent) return unsent.error();
  loaded_stream loaded{std::move(stream), std::move(*unsent)};
  return loaded;
}

void session::drop_unclaimed() {
  for (const auto id : core_.unfinished())
    if (!streams_.contains(id)) core_.reset(id);
}

bool mux_stream::alive() const { return known_ && owner_->core_.alive(id_); }

void mux_stream::save(record_writer& to, bytes_view behind) const {
  to.put(id_);
  to.put(shut_);
  to.put(peer_finished_);
  to.put_bytes(unread_.copy());
  const bytes_view offered = owner_->core_.offered(id_);
  to.put(std::uint64_t{offered.size() + behind.size()});
  to.put_raw(offered);
  to.put_raw(behind);
}

void mux_stream::skip(std::size_t count) {
  while (count > 0) {
    const std::size_t part = std::min(count, unread_.front().size());
    consume(part);
    count -= part;
  }
}

result<std::vector<std::byte>> mux_stream::load(record_reader& from) {
  shut_ = from.take_flag();
  peer_finished_ = from.take_flag();
  const bytes_view unread = from.take_bytes();
  const bytes_view unsent = from.take_bytes();
  from.require(unread.size() == owner_->core_.unread(id_));
  if (from.broken()) return errc::broken_frame;
  unread_.push(unread);
  return std::vector<std::byte>(unsent.begin(), unsent.end());
}

} // namespace gotunnel::mux
