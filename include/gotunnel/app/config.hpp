// What the user asked for, checked: immutable values that the commands run with.
//
// Reading them throws usage_error with one sentence for the first thing that is wrong; nothing has been
// started then. Secrets are no part of it: they are read apart, and late (app/secret_source).
#pragma once

#include "gotunnel/app/option_set.hpp"
#include "gotunnel/app/sandbox.hpp"
#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/log.hpp"
#include "gotunnel/reverse/client_session.hpp"
#include "gotunnel/wire/address.hpp"
#include "gotunnel/wire/cidr.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace gotunnel::app {

struct log_config {
  log::level level = log::level::info;
  log::format format = log::format::text;
};

struct server_config {
  wire::host_port listen;
  std::string bind_host;
  wire::port_set allow_ports;
  wire::cidr_set allow_clients;
  wire::cidr_set allow_visitors;
  std::size_t max_visitors = 0;             ///< at once; 0: as many as descriptors allow
  std::size_t max_visitors_per_address = 0; ///< at one port; 0: a part
  std::filesystem::path certs;
  duration cert_check{};
  std::size_t workers = 1;
  duration resume_window{};
  duration keepalive{};
  duration resume_hold{};
  duration grace{};
  bool seed_peers = true;
  std::string user; ///< to become once the door is open; empty: stay who we are
  sandbox_mode sandbox = sandbox_mode::automatic;
  /// Bytes that may wait for slow readers; 0: each session's own limit counts.
  std::uint64_t memory_limit = 0;
  log_config logging;
  std::vector<std::string> warnings; ///< to be logged once the log is set up
};

struct client_config {
  wire::host_port server;
  std::string ca_pem; ///< contents of the CA file; empty with a pin
  std::filesystem::path ca_file;
  std::string pin;
  std::uint16_t remote_port = 8080;
  reverse::local_target target;
  std::uint8_t carriers = 1;
  duration max_retry_interval{};
  bool retry = true;
  duration resume_window{};
  duration keepalive{};
  duration grace{};
  link::seed_fallback::wish seed_peers = link::seed_fallback::wish::automatic;
  sandbox_mode sandbox = sandbox_mode::automatic;
  std::uint64_t memory_limit = 0;
  std::filesystem::path state_dir;
  log_config logging;
  std::vector<std::string> warnings;
};

[[nodiscard]] const option_set& server_options();
[[nodiscard]] const option_set& status_options();
[[nodiscard]] const option_set& upgrade_options();
[[nodiscard]] const option_set& reload_options();
[[nodiscard]] const option_set& client_options();
[[nodiscard]] const option_set& pki_options();

[[nodiscard]] server_config read_server_config(const parsed_options& given);
[[nodiscard]] client_config read_client_config(const parsed_options& given);

} // namespace gotunnel::app
