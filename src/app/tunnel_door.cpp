#include "gotunnel/app/tunnel_door.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/net/resolver.hpp"

#include <boost/asio/error.hpp>

#include <fmt/format.h>

namespace gotunnel::app {
namespace {

namespace asio = boost::asio;

std::string address_trouble(const error_code& why) {
  namespace cause = boost::system::errc;
  if (why == cause::address_in_use) return "the address is in use; stop what uses it, or choose another port";
  if (why == cause::address_not_available)
    return "this machine has no such address; give one of its own, or none for all";
  if (why == cause::permission_denied)
    return "permission denied; choose a port above 1023, or run with CAP_NET_BIND_SERVICE";
  if (const auto trouble = net::lookup_trouble(why); !trouble.empty())
    return fmt::format("{}; give an address of this machine, or none for all", trouble);
  return fmt::format("{}; choose another address", why.message());
}

// Enough for a slow DNS server; a start that takes longer seems to hang.
constexpr duration lookup_limit = 10s;

[[noreturn]] void refuse(std::string_view option, const std::string& text, const error_code& why) {
  throw usage_error(fmt::format("-{} \"{}\": {}", option, text, address_trouble(why)));
}

/// All addresses of a host; none when it is empty.
net::door::addresses addresses_of(const std::string& host, std::string_view option, const std::string& text) {
  if (host.empty()) return {};
  error_code no_literal;
  const auto literal = asio::ip::make_address(host, no_literal);
  if (!no_literal) return {literal};
  const auto found = net::resolver::of_process().wait_for(host, lookup_limit);
  if (!found) refuse(option, text, found.error());
  return **found;
}

net::door open(const net::executor& where, const net::door::addresses& addresses, std::uint16_t port,
               std::string_view option, const std::string& text) {
  auto opened = net::door::open(where, addresses, port);
  if (!opened) refuse(option, text, opened.error());
  for (const auto& each : addresses)
    if (!opened->has(each))
      log::info("app",
                "-{} \"{}\": this machine does not have the address {}; the others of that name are used",
                option, text, each.to_string());
  return std::move(*opened);
}

} // namespace

tunnel_door open_tunnel_door(const net::executor& where, net::descriptor passed,
                             const wire::host_port& address, const std::string& text) {
  if (!passed)
    return {open(where, addresses_of(address.host, "listen", text), address.port, "listen", text),
            address.host};
  auto adopted = net::tcp_listener::adopt(where, std::move(passed));
  if (!adopted)
    throw usage_error("LISTEN_FDS \"1\": descriptor 3 is no listening TCP socket; give the socket unit one "
                      "ListenStream= with a port, and Accept=no");
  log::info("app", "listening on {}, as the service manager does; -listen is not looked at",
            net::to_string(adopted->address()));
  tunnel_door given{{}, adopted->address().address().to_string()};
  given.door.add(std::move(*adopted));
  return given;
}

net::door::addresses public_addresses(const net::executor& where, const std::string& host,
                                      const std::string& text) {
  auto addresses = addresses_of(host, "bind", text);
  if (!addresses.empty()) open(where, addresses, 0, "bind", text).close();
  return addresses;
}

} // namespace gotunnel::app
