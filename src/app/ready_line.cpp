#include "gotunnel/app/ready_line.hpp"

#include "gotunnel/wire/address.hpp"

#include <boost/asio/ip/address.hpp>

#include <fmt/format.h>

#include <optional>

namespace gotunnel::app {
namespace {

namespace ip = boost::asio::ip;

/// The one address that the server has bound; nothing when that is all of them.
std::optional<ip::address> only_address(const wire::bound_answer& bound) {
  const auto parsed = wire::parse_peer(bound.address);
  const auto* const where = std::get_if<wire::host_port>(&parsed);
  if (where == nullptr) return std::nullopt;
  boost::system::error_code no_literal;
  const auto address = ip::make_address(where->host, no_literal);
  if (no_literal || address.is_unspecified()) return std::nullopt;
  return address;
}

/// Whether a client that is given this host for its server runs on the server's machine.
bool is_this_machine(const std::string& host) {
  boost::system::error_code no_literal;
  const auto address = ip::make_address(host, no_literal);
  return no_literal ? host == "localhost" : address.is_loopback();
}

} // namespace

std::string ready_line(const std::string& server_host, const wire::bound_answer& bound,
                       const std::string& target) {
  const auto only = only_address(bound);
  const wire::host_port where{only ? only->to_string() : server_host, bound.port};
  return fmt::format("ready: {} -> {}", wire::to_string(where), target);
}

std::string ready_warning(const std::string& server_host, const wire::bound_answer& bound) {
  const auto only = only_address(bound);
  if (!only || !only->is_loopback() || is_this_machine(server_host)) return {};
  return fmt::format(
      "the server opens its public ports on {} (its -bind), so that only programs on the server's own "
      "machine reach port {}; start the server without -bind if others are to reach it",
      only->to_string(), bound.port);
}

} // namespace gotunnel::app
