#include "gotunnel/net/tcp.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include <boost/asio/ip/v6_only.hpp>

#include <algorithm>

namespace gotunnel::net {
namespace {

using tcp = asio::ip::tcp;

// The kernel caps it at net.core.somaxconn; a burst of visitors should wait there and not be refused.
constexpr int backlog = 4096;

/// Not the connection's fault and not lasting: descriptors or memory ran out, or the peer left before it was
/// accepted.
bool out_of_resources(const error_code& ec) {
  using namespace boost::system::errc;
  return ec == too_many_files_open || ec == too_many_files_open_in_system || ec == no_buffer_space ||
         ec == not_enough_memory;
}

result<tcp::acceptor> listen_on(const executor& where, const tcp::endpoint& endpoint, bool both_families) {
  tcp::acceptor acceptor(where);
  error_code ec;
  acceptor.open(endpoint.protocol(), ec);
  if (ec) return ec;
  acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (endpoint.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(!both_families), ec);
  tune_tcp(acceptor.native_handle());
  acceptor.bind(endpoint, ec);
  if (!ec) acceptor.listen(backlog, ec);
  if (ec) return ec;
  return acceptor;
}

} // namespace

wire::ip_endpoint to_wire(const tcp::endpoint& endpoint) {
  wire::ip_endpoint out;
  out.port = endpoint.port();
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  out.v6 = address.is_v6();
  const auto put = [&](const auto& bytes) {
    std::transform(bytes.begin(), bytes.end(), out.ip.begin(), [](unsigned char b) { return std::byte{b}; });
  };
  if (out.v6)
    put(address.to_v6().to_bytes());
  else
    put(address.to_v4().to_bytes());
  return out;
}

std::string to_string(const tcp::endpoint& endpoint) {
  const auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return fmt::format("{}:{}", asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string(),
                       endpoint.port());
  return wire::to_string(wire::host_port{address.to_string(), endpoint.port()});
}

result<tcp_listener> tcp_listener::open(const executor& where, const wire::host_port& address) {
  if (!address.host.empty()) {
    error_code ec;
    const auto literal = asio::ip::make_address(address.host, ec);
    if (ec) return ec;
    return open(where, tcp::endpoint(literal, address.port));
  }
  auto everywhere = open(where, tcp::endpoint(tcp::v6(), address.port));
  using namespace boost::system::errc;
  if (!everywhere &&
      (everywhere.error() == address_family_not_supported || everywhere.error() == address_not_available))
    return open(where, tcp::endpoint(tcp::v4(), address.port));
  return everywhere;
}

result<tcp_listener> tcp_listener::open(const executor& where, const tcp::endpoint& endpoint) {
  auto acceptor = listen_on(where, endpoint, endpoint.address().is_unspecified());
  if (!acceptor) return acceptor.error();
  error_code ec;
  const auto bound = acceptor->local_endpoint(ec);
  if (ec) return ec;
  return tcp_listener(std::move(*acceptor), bound);
}

result<tcp_listener> tcp_listener::adopt(const executor& where, descriptor socket) {
  int listens = 0;
  socklen_t size = sizeof listens;
  int kind = 0;
  socklen_t kind_size = sizeof kind;
  tcp::endpoint bound;
  socklen_t bound_size = static_cast<socklen_t>(bound.capacity());
  const bool known = ::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
                     ::getsockopt(socket.get(), SOL_SOCKET, SO_PROTOCOL, &kind, &kind_size) == 0 &&
                     ::getsockname(socket.get(), bound.data(), &bound_size) == 0;
  if (!known || listens == 0 || kind != IPPROTO_TCP) return make_error_code(asio::error::bad_descriptor);
  bound.resize(bound_size);
  tcp::acceptor acceptor(where);
  error_code ec;
  acceptor.assign(bound.protocol(), socket.get(), ec);
  if (ec) return ec;
  tune_tcp(socket.get());
  static_cast<void>(socket.release());
  return tcp_listener(std::move(acceptor), bound);
}

task<tcp_listener::accepted> tcp_listener::accept(executor owner) {
  duration pause = 0ms;
  for (;;) {
    if (!acceptor_.is_open()) co_return errc::closed;
    if (paused_) {
      co_await resumed_.wait();
      continue;
    }
    accepted next{tcp::socket(owner), {}};
    auto [ec] = co_await acceptor_.async_accept(next.socket, next.peer, token);
    if (!ec) co_return next;
    if (paused_) continue;
    if (ec == asio::error::operation_aborted || !acceptor_.is_open()) co_return errc::closed;
    if (!out_of_resources(ec)) continue; // the visitor left while it was queued
    static log::limit often;
    if (pause == 0ms)
      log::error(often, "net", "cannot accept on {}: {}; trying again", to_string(address_), ec.message());
    pause = std::clamp<duration>(pause * 2, 50ms, 1s);
    co_await sleep_for(pause);
  }
}

void tcp_listener::pause() {
  paused_ = true;
  error_code ignored;
  acceptor_.cancel(ignored);
}

void tcp_listener::resume() {
  paused_ = false;
  resumed_.notify();
}

void tcp_listener::close() {
  error_code ignored;
  // Taken off the reactor before it is closed: another process may have a copy of the descriptor.
  if (acceptor_.is_open()) const descriptor closed(acceptor_.release(ignored));
  resumed_.notify();
}

} // namespace gotunnel::net
