#include "gotunnel/net/tcp.hpp"

#include "gotunnel/net/accept_failure.hpp"
#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/tcp_options.hpp"

#include <boost/asio/ip/v6_only.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gotunnel::net {
namespace {

using tcp = asio::ip::tcp;

// The kernel caps it at net.core.somaxconn; a burst of visitors should wait there and not be refused.
constexpr int backlog = 4096;

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

std::optional<std::pair<wire::ip_endpoint, wire::ip_endpoint>> ends_of(const any_socket& socket) {
  const auto as_tcp = [](const any_socket::endpoint_type& end) {
    tcp::endpoint same;
    same.resize(std::min(end.size(), same.capacity()));
    std::memcpy(same.data(), end.data(), same.size());
    return to_wire(same);
  };
  error_code ec;
  const auto ours = socket.local_endpoint(ec);
  if (ec || (ours.protocol().family() != AF_INET && ours.protocol().family() != AF_INET6))
    return std::nullopt;
  const auto theirs = socket.remote_endpoint(ec);
  if (ec) return std::nullopt;
  return std::pair(as_tcp(ours), as_tcp(theirs));
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

tcp_listener::tcp_listener(tcp::acceptor acceptor, tcp::endpoint address)
    : acceptor_(std::move(acceptor)), address_(std::move(address)), resumed_(acceptor_.get_executor()) {
  asio::ip::v6_only one_family(false);
  error_code none;
  if (address_.protocol() == tcp::v6()) acceptor_.get_option(one_family, none);
  both_families_ = !one_family.value();
}

task<tcp_listener::accepted> tcp_listener::accept(executor owner) {
  std::optional<accept_trouble> trouble;
  for (;;) {
    if (closed_) co_return errc::closed;
    if (paused_) {
      co_await resumed_.wait();
      continue;
    }
    accepted next{tcp::socket(owner), {}};
    auto [ec] = co_await acceptor_.async_accept(next.socket, next.peer, token);
    if (!ec) {
      if (trouble) trouble->over();
      co_return next;
    }
    if (paused_) continue;
    if (ec == asio::error::operation_aborted || closed_) co_return errc::closed;
    if (!trouble) trouble.emplace(to_string(address_));
    const accept_failure kind = trouble->note(ec);
    if (kind == accept_failure::passing) continue;
    co_await sleep_for(trouble->pause());
    while (kind == accept_failure::dead && !closed_) {
      const error_code why = listen_again();
      if (!why) break;
      trouble->cannot_listen(why.message());
      co_await sleep_for(trouble->pause());
    }
  }
}

/// The same socket if it can be, which also serves whoever else has it; else another one.
error_code tcp_listener::listen_again() {
  error_code ec;
  if (acceptor_.is_open() && acceptor_.local_endpoint(ec) == address_ && !ec) {
    // What ended it may have left it shut down, and whoever it accepts would be, too: connect(2) says how a
    // socket is undone.
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    ::connect(acceptor_.native_handle(), &nobody, sizeof nobody);
    acceptor_.listen(backlog, ec);
    if (!ec && acceptor_.local_endpoint(ec) == address_ && !ec) return {};
  }
  // First: the old one may still have the address. A number that is no socket of ours any more may be
  // somebody else's, and is not closed.
  if (acceptor_.is_open()) {
    descriptor old(acceptor_.release(ec));
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(old.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
      static_cast<void>(old.release());
  }
  auto fresh = listen_on(acceptor_.get_executor(), address_, both_families_);
  if (!fresh) return fresh.error();
  acceptor_ = std::move(*fresh);
  return {};
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
  closed_ = true;
  error_code ignored;
  // Taken off the reactor before it is closed: another process may have a copy of the descriptor.
  if (acceptor_.is_open()) const descriptor closed(acceptor_.release(ignored));
  resumed_.notify();
}

} // namespace gotunnel::net
