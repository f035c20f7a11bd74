// Blocking IPv4 sockets on loopback, for the floor and the load tools. What fails throws std::system_error.
#pragma once

#include "gotunnel/net/descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bench {

using gotunnel::net::descriptor;

struct address {
  std::uint32_t host = 0x7f000001; ///< host byte order
  std::uint16_t port = 0;
};

/// `8080` or `127.0.0.1:8080`; throws std::invalid_argument.
address parse_address(std::string_view text);

descriptor listen_on(std::uint16_t port);           ///< on 127.0.0.1
descriptor accept_from(const descriptor& listener); ///< with TCP_NODELAY
descriptor dial(address to);                        ///< with TCP_NODELAY

/// The kernel keeps no more than this and what is on its way.
void limit_unsent(int socket, int bytes);

void send_all(const descriptor& to, std::span<const std::byte> bytes);
/// 0 at the end of the peer's data.
std::size_t receive_some(const descriptor& from, std::span<std::byte> room);

[[noreturn]] void fail(const char* what); ///< with errno

} // namespace bench
