// A session at the server as a record, for the process that takes it over, and its end here.
#include "gotunnel/reverse/server_session.hpp"

namespace gotunnel::reverse {

server_session::readiness server_session::handover_readiness() const {
  if (!native_ || !resumes() || stopping_ || mux_->closing()) return readiness::never;
  if (!in_line_.empty()) return readiness::never; // it has no port, and asks the next process for one
  if (control_ && !control_->alive()) return readiness::never;
  // A client that has just come, that waits for an answer, or that others wait for.
  if (!control_ || !saying_ || replying_ || !pings_.empty()) return readiness::busy;
  // A visitor who was admitted and whose task has not begun.
  return visitors_.size() == visits_.size() ? readiness::ready : readiness::busy;
}

void server_session::save(record_writer& to) const {
  to.put_text(client_);
  to.put_raw(hello_.client);
  to.put_raw(hello_.instance);
  to.put(capabilities_);
  to.put_raw(id_);
  to.put(resume_window_);
  to.put(generation_);
  to.put(next_ping_);
  mux_->save(to);
  control_->save(to);
  to.put_text(reader_.unread());
  to.put(std::uint64_t{binds_.size()});
  for (const auto& [service, port] : binds_) {
    to.put(service);
    to.put(port);
  }
  to.put(std::uint64_t{unsaid_.size()});
  for (const auto& each : unsaid_) to.put_text(wire::encode(each));
  // Left out where it says nothing new: so an older program can take most sessions over.
  if (keepalive_ > wire::default_keepalive) to.put(keepalive_);
}

result<std::shared_ptr<server_session>> server_session::load(net::executor where, net::executor front,
                                                             port_book& book, record_reader& from) {
  const std::string client(from.take_text());
  link::admitted peer;
  peer.native = true;
  from.take_into(peer.hello.client);
  from.take_into(peer.hello.instance);
  peer.capabilities = from.take<std::uint32_t>();
  from.take_into(peer.session);
  peer.resume_window = from.take_duration();
  from.require(peer.resume_window > duration::zero());
  if (from.broken()) return errc::broken_frame;

  const auto loaded =
      std::make_shared<server_session>(std::move(where), std::move(front), book, std::move(peer));
  loaded->client_ = client;
  loaded->generation_ = from.take<std::uint32_t>();
  loaded->next_ping_ = from.take<std::uint64_t>();
  if (const auto mux = loaded->mux_->load(from); !mux) return mux.error();
  auto control = loaded->mux_->load_stream(from);
  if (!control) return control.error();
  loaded->control_ = std::move(control->stream);
  loaded->half_said_ = as_text(control->unsent);
  from.require(loaded->reader_.feed(from.take_bytes()).has_value());
  for (auto left = from.take<std::uint64_t>(); left > 0 && !from.broken(); --left) {
    const auto service = from.take<std::uint64_t>();
    loaded->binds_[service] = from.take<std::uint16_t>();
  }
  for (auto left = from.take<std::uint64_t>(); left > 0 && !from.broken(); --left)
    loaded->half_said_ += from.take_text();
  if (!from.broken() && !from.whole()) {
    loaded->keepalive_ = from.take_duration();
    from.require(loaded->keepalive_ > wire::default_keepalive &&
                 loaded->keepalive_ <= wire::longest_keepalive);
    if (!from.broken()) loaded->mux_->set_keepalive(loaded->keepalive_);
  }
  if (!from.whole()) return errc::broken_frame;
  return loaded;
}

result<> server_session::readmit(visitor who, record_reader& from) {
  auto inside = mux_->load_stream(from);
  if (!inside) return inside.error();
  // What the visitor's socket had already taken of the block that was being written.
  const auto written = from.take<std::uint64_t>();
  from.require(written <= inside->stream->unread());
  from.require(inside->unsent.size() <= net::socket_stream::put_back_limit);
  if (!from.whole()) return errc::broken_frame;
  inside->stream->skip(static_cast<std::size_t>(written));
  readmitted_.push_back({std::move(who), std::move(*inside)});
  return {};
}

void server_session::leave() {
  for (visit& each : visits_)
    if (each.alive()) each.outside.leave();
  mux_->abort(errc::handed_over);
}

} // namespace gotunnel::reverse
