// What a reload has read: made by the server, sent as one JSON object, shown by another process.
//
//   {"certificate":{"changed":true,"valid_until":"2027-01-01 10:00:00 UTC"},
//    "secrets":{"count":2,"changed":false,"from_file":true}}
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gotunnel::app {

struct reload_report {
  bool certificate_changed = false;
  std::string valid_until; ///< the server certificate
  std::size_t secrets = 1;
  bool secrets_changed = false;
  bool secrets_from_file = true; ///< others cannot change

  friend bool operator==(const reload_report&, const reload_report&) = default;
};

/// One line of JSON.
[[nodiscard]] std::string to_json(const reload_report& report);
/// Throws usage_error when it is no such object.
[[nodiscard]] reload_report read_reload_report(std::string_view json);
/// One sentence for people.
[[nodiscard]] std::string describe(const reload_report& report);

} // namespace gotunnel::app
