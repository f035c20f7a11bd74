#include "gotunnel/app/tunnel_door.hpp"

#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/log.hpp"

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
  if (why.category() == asio::error::get_netdb_category() ||
      why.category() == asio::error::get_addrinfo_category())
    return "the host name is unknown; give an address of this machine, or none for all";
  return fmt::format("{}; choose another address", why.message());
}

net::tcp_listener open(const net::executor& where, const wire::host_port& address, std::string_view option,
                       const std::string& text) {
  auto opened = net::tcp_listener::open(where, address);
  if (!opened)
    throw usage_error(fmt::format("-{} \"{}\": {}", option, text, address_trouble(opened.error())));
  return std::move(*opened);
}

} // namespace

tunnel_door open_tunnel_door(const net::executor& where, net::descriptor passed,
                             const wire::host_port& address, const std::string& text) {
  if (!passed) return {open(where, address, "listen", text), address.host};
  auto adopted = net::tcp_listener::adopt(where, std::move(passed));
  if (!adopted)
    throw usage_error("LISTEN_FDS \"1\": descriptor 3 is no listening TCP socket; give the socket unit one "
                      "ListenStream= with a port, and Accept=no");
  log::info("app", "listening on {}, as the service manager does; -listen is not looked at",
            net::to_string(adopted->address()));
  const auto host = adopted->address().address().to_string();
  return {std::move(*adopted), host};
}

void try_public_address(const net::executor& where, const std::string& host, const std::string& text) {
  open(where, {host, 0}, "bind", text).close();
}

} // namespace gotunnel::app
