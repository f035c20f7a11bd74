// TCP: dialling with happy eyeballs, and listeners whose sockets are born on the worker that will own them.
//
// dial() looks the name up (net/resolver) and tries the addresses of both families in turn, a new one every
// 250 ms (RFC 8305), and takes the first that connects. A listener on all addresses takes both families
// through one IPv6 socket where the system has IPv6.
#pragma once

#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/signal.hpp"
#include "gotunnel/net/socket_stream.hpp"
#include "gotunnel/wire/address.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace gotunnel::net {

/// A connected socket on the caller's executor, or the error of the last address tried; errc::timed_out after
/// `limit`; the errors of net/resolver for a name. `speaks`: bytes are there to be written as soon as it
/// stands; the last word of the handshake then goes with them, and the other side is woken once and not
/// twice.
[[nodiscard]] task<any_socket> dial(wire::host_port address, duration limit, bool speaks = false);
[[nodiscard]] task<any_socket> dial(wire::unix_path path, duration limit);
/// One address. `max_segment`: bytes of a TCP segment, both ways; 0: what the path says.
[[nodiscard]] task<any_socket> dial(asio::ip::tcp::endpoint to, duration limit, int max_segment);

using endpoints = std::vector<asio::ip::tcp::endpoint>;
/// The addresses of a host, one at least: families in turn, the resolver's first choice first (RFC 8305,
/// section 4). For those who race more than connections.
[[nodiscard]] task<endpoints> resolve(const wire::host_port& address, duration limit);

/// The same as bytes, with IPv4-mapped addresses as IPv4.
[[nodiscard]] wire::ip_endpoint to_wire(const asio::ip::tcp::endpoint& endpoint);
/// Ours and the peer's end of a TCP connection; nothing when it is no such thing, or has failed.
[[nodiscard]] std::optional<std::pair<wire::ip_endpoint, wire::ip_endpoint>>
ends_of(const any_socket& socket);
/// `1.2.3.4:5` or `[::1]:5`.
[[nodiscard]] std::string to_string(const asio::ip::tcp::endpoint& endpoint);

/// Yields accepted sockets. Paused, it takes none until it is resumed; who comes waits in the kernel. What
/// keeps it from accepting (descriptors have run out, say) makes it wait and try again (50 ms to 1 s) instead
/// of spinning. A socket that has been made to listen no more (shutdown(2), `ss -K`) listens again; when it
/// cannot, another takes its address. Each of that is logged once when it begins.
class tcp_listener {
public:
  /// A literal address; an empty host is all addresses. Errors of the system: address_in_use,
  /// permission_denied ...
  [[nodiscard]] static result<tcp_listener> open(const executor& where, const wire::host_port& address);
  /// The address :: is all of both families, as people expect of `[::]:7000`.
  [[nodiscard]] static result<tcp_listener> open(const executor& where,
                                                 const asio::ip::tcp::endpoint& address);
  /// A socket that listens already, opened by another process. errc::bad_descriptor of the system when it is
  /// no listening TCP socket.
  [[nodiscard]] static result<tcp_listener> adopt(const executor& where, descriptor socket);

  struct accepted {
    accepted(asio::ip::tcp::socket connection, asio::ip::tcp::endpoint from)
        : socket(std::move(connection)), peer(std::move(from)) {}
    asio::ip::tcp::socket socket;
    asio::ip::tcp::endpoint peer;
  };
  /// The next connection, its socket bound to `owner`. Fails only when the listener is closed or cancelled.
  [[nodiscard]] task<accepted> accept(executor owner);
  void pause();
  void resume();
  void close();

  [[nodiscard]] asio::ip::tcp::endpoint address() const { return address_; }
  [[nodiscard]] int handle() { return acceptor_.native_handle(); }

private:
  tcp_listener(asio::ip::tcp::acceptor acceptor, asio::ip::tcp::endpoint address);

  [[nodiscard]] error_code listen_again();

  asio::ip::tcp::acceptor acceptor_;
  asio::ip::tcp::endpoint address_;
  signal resumed_; ///< or closed
  bool both_families_ = false;
  bool paused_ = false;
  bool closed_ = false;
};

} // namespace gotunnel::net
