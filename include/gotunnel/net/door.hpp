// What listens on one port: a listener for each address, which are paused, resumed and closed together.
//
//   auto opened = door::open(front, addresses, 7000);             // of a name, or of one address; none: all addresses
//   for (const auto& each : opened->listeners()) group.spawn("accept", accept_from(each));     // shared_ptr<tcp_listener>
//
// Port 0 is one port of the system's choice, the same on all addresses. An address that this machine does
// not have is left out as long as there is another one: a name may have an IPv6 address where IPv6 is off.
// All on one worker. A closed door has no listeners; who accepts from one still shares it.
#pragma once

#include "gotunnel/net/tcp.hpp"

#include <boost/asio/ip/address.hpp>

#include <memory>
#include <string>
#include <vector>

namespace gotunnel::net {

class door {
public:
  using addresses = std::vector<asio::ip::address>;
  using listener_ptr = std::shared_ptr<tcp_listener>;

  door() = default;
  /// Errors as of tcp_listener::open(): those of the first address that failed for another reason than that
  /// this machine does not have it.
  [[nodiscard]] static result<door> open(const executor& where, const addresses& of, std::uint16_t port);
  /// One that was opened before, by this process or by another.
  void add(tcp_listener listener);

  [[nodiscard]] const std::vector<listener_ptr>& listeners() const noexcept { return listeners_; }
  [[nodiscard]] explicit operator bool() const noexcept { return !listeners_.empty(); }
  /// Of the first; the port is that of all.
  [[nodiscard]] asio::ip::tcp::endpoint address() const { return listeners_.front()->address(); }
  /// Whether this address, or all, are listened on.
  [[nodiscard]] bool has(const asio::ip::address& address) const;

  void pause();
  void resume();
  void close();

private:
  [[nodiscard]] static result<door> open_all(const executor& where, const addresses& of, std::uint16_t port);

  std::vector<listener_ptr> listeners_;
};

/// `127.0.0.1:7000, [::1]:7000`, for people.
[[nodiscard]] std::string to_string(const door& of);

} // namespace gotunnel::net
