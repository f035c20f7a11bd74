// What the program says about a name that nobody has: it depends on whether a DNS server answers here.
#pragma once

#include <string>

#include <netdb.h>

namespace gotunnel::testing {

inline const std::string unknown_name = "nowhere.invalid"; // RFC 2606

inline std::string trouble_with_unknown_name() {
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(unknown_name.c_str(), nullptr, nullptr, &found);
  if (code == 0) ::freeaddrinfo(found);
  return code == EAI_AGAIN ? "no DNS server answers for the host name" : "the host name is unknown";
}

} // namespace gotunnel::testing
