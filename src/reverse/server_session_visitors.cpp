// Visitors of a session at the server.
#include "gotunnel/base/counters.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/net/pump.hpp"
#include "gotunnel/reverse/server_session.hpp"
#include "gotunnel/wire/proxy_header.hpp"

#include <array>
#include <utility>

namespace gotunnel::reverse {
namespace {

// Of a visitor's first bytes: what goes with its header.
constexpr std::size_t early_bytes = 4 * 1024;

/// Whether that was all. Not in the coroutine, whose frame the room would be part of.
bool take_early(byte_source& from, std::vector<std::byte>& to) {
  std::array<std::byte, early_bytes> room;
  const auto said = from.take(room);
  to.insert(to.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(said.count));
  return said.last;
}

} // namespace

std::optional<visitor> server_session::welcome(visitor who) {
  // Between the end of a session and that of its ports there is none.
  auto inside = mux_->open();
  if (!inside && inside.error() == errc::ids_used_up) mux_->close(inside.error());
  if (!inside) return who;
  mind_ids();
  std::vector<std::byte> header;
  if (native_) {
    error_code unknown;
    const auto dialled = who.socket.local_endpoint(unknown);
    wire::proxy_header says;
    if (!unknown) says.peer = {net::to_wire(who.peer), net::to_wire(dialled)};
    says.service = who.service;
    wire::encode(says, header);
  }
  visitors_.admit(serve_visitor(std::move(who), std::move(*inside), std::move(header), beginning::here));
  return std::nullopt;
}

void server_session::mind_ids() {
  if (mux_->ids_left() > few_ids_ || std::exchange(renewing_, true)) return;
  static log::limit often;
  if (has(capabilities_, wire::capability::renew)) {
    log::info(often, "reverse", "client {}: few stream ids are left; asking it for a fresh session", client_);
    return say(wire::renew_message{});
  }
  log::info(often, "reverse", "client {}: few stream ids are left; its session ends when no visitor is there",
            client_);
  tasks_.spawn("last visitors", close_without_visitors());
}

asio::awaitable<void> server_session::close_without_visitors() {
  co_await visitors_.left();
  mux_->close(errc::ids_used_up);
}

/// `first` goes before anything of the visitor's. Begun elsewhere, the other direction may be full, and the
/// service wait until somebody reads: then it is one of the bytes of the splice.
asio::awaitable<void> server_session::serve_visitor(visitor who, mux::mux_stream_ptr inside,
                                                    std::vector<std::byte> first, beginning where) {
  const counters::held counted(counter::visitors);
  counters::add(counter::visitors_total);
  net::socket_stream outside(net::any_socket(std::move(who.socket)), net::socket_stream::purpose::visitor,
                             net::to_string(who.peer));
  visit here(who, outside, *inside);
  visits_.push_back(here);
  if (where == beginning::elsewhere) {
    outside.put_back(first);
  } else {
    // Many a visitor has already said what it wants: in one frame it costs the client one waking.
    result<> sent;
    if (take_early(outside, first))
      sent = co_await inside->write_last(first);
    else
      sent = co_await inside->write(first);
    if (!sent) co_return;
  }
  std::vector<std::byte>().swap(first); // a visit is long, and there are many
  const auto totals = co_await net::splice(outside, *inside);
  log::debug("reverse", "visitor {} of {}: {} bytes in, {} out{}{}", net::to_string(who.peer), client_,
             totals.a_to_b, totals.b_to_a, totals.failure ? ", " : "",
             totals.failure ? totals.failure.message() : "");
}

} // namespace gotunnel::reverse
