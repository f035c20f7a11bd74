// The texts of --help, and how the log begins.
#pragma once

#include "gotunnel/app/config.hpp"

#include <string>
#include <vector>

namespace gotunnel::app {

[[nodiscard]] std::string program_help();
[[nodiscard]] std::string server_help();
[[nodiscard]] std::string client_help();
[[nodiscard]] std::string pki_help();

/// Sets the log up (colours on a terminal unless NO_COLOR is set) and says what reading the options had to
/// warn of.
void start_log(const log_config& config, const std::vector<std::string>& warnings);

} // namespace gotunnel::app
