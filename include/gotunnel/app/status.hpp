// What `gotunnel server status` says: made by the server as one JSON object, shown by another process.
//
//   {"version":"0.1.0","pid":1,"uptime_seconds":3,"listen":"0.0.0.0:7000","workers":2,
//    "memory":{"waiting":0,"limit":0},
//    "certificates":{"ca_until":"2036-01-01 10:00:00 UTC","server_until":"...","trouble":["..."]},
//    "counters":{"sessions":1,...},
//    "ports":[{"port":8080,"client":"192.0.2.7:4711","since":"2026-01-01 10:00:00 UTC"}]}
#pragma once

#include "gotunnel/reverse/port_book.hpp"

#include <string>
#include <vector>

namespace gotunnel::app {

struct status_facts {
  std::string listen;
  std::size_t workers = 1;
  duration uptime{};
  std::vector<reverse::held_port> ports;
  wall_time authority_until{};
  wall_time server_until{};
  std::vector<std::string> expiry; ///< sentences about what ends soon, or has ended
};

/// One line of JSON; counters and memory are the process's.
[[nodiscard]] std::string status_json(const status_facts& facts);
/// The same for people, with colours or without. Throws usage_error when it is no such object.
[[nodiscard]] std::string describe_status(std::string_view json, bool colour);

} // namespace gotunnel::app
