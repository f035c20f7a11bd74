// What the server prints on stdout when it is ready: where it listens, its CA and pin, and a client command
// that works when pasted. The secret is spelled out only on a terminal; elsewhere stdout may be a log.
#pragma once

#include "gotunnel/base/secret.hpp"

#include <cstdint>
#include <string>

namespace gotunnel::app {

struct banner_facts {
  std::string address;     ///< as the listener reports it
  std::string listen_host; ///< as the user gave it; empty: all addresses
  std::uint16_t port = 0;
  std::string ca_pem;
  std::string pin;
  secret_text secret;
  bool terminal = false;
};

[[nodiscard]] std::string banner(const banner_facts& facts);

/// An address of this machine that another one can reach, by the look of its interfaces; 127.0.0.1 when there
/// is none.
[[nodiscard]] std::string likely_public_host();

/// Quoted for a POSIX shell.
[[nodiscard]] std::string shell_quoted(std::string_view text);

} // namespace gotunnel::app
