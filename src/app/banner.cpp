#include "gotunnel/app/banner.hpp"

#include "gotunnel/wire/address.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

namespace gotunnel::app {

std::string likely_public_host() {
  ifaddrs* interfaces = nullptr;
  if (::getifaddrs(&interfaces) != 0) return "127.0.0.1";
  std::string found = "127.0.0.1";
  for (const ifaddrs* each = interfaces; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    if ((each->ifa_flags & IFF_UP) == 0 || (each->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET_ADDRSTRLEN] = {};
    const auto* address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) == nullptr) continue;
    found = text;
    break;
  }
  ::freeifaddrs(interfaces);
  return found;
}

std::string shell_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else
      quoted.push_back(c);
  }
  quoted.push_back('\'');
  return quoted;
}

std::string banner(const banner_facts& facts) {
  const bool everywhere =
      facts.listen_host.empty() || facts.listen_host == "0.0.0.0" || facts.listen_host == "::";
  const std::string host = everywhere ? likely_public_host() : facts.listen_host;
  // In the environment, not as an option: what a program was called with is visible to everybody on its
  // machine.
  const std::string secret =
      facts.terminal ? fmt::format("GOTUNNEL_SECRET={} ", shell_quoted(facts.secret.reveal())) : "";
  return fmt::format("gotunnel server is ready on {}\n"
                     "\n"
                     "CA certificate (save it as ca.crt on the client, or use the pin):\n"
                     "{}"
                     "pin: {}\n"
                     "\n"
                     "To publish 127.0.0.1:80 of another machine as port 8080 of this one, run there{}:\n"
                     "{}gotunnel client -server {} -pin {} -remote-port 8080 -local-target 127.0.0.1:80\n",
                     facts.address, facts.ca_pem, facts.pin,
                     facts.terminal ? "" : " (with GOTUNNEL_SECRET set to the secret)", secret,
                     wire::to_string(wire::host_port{host, facts.port}), facts.pin);
}

} // namespace gotunnel::app
