// The texts of --help, and how the log begins.
#pragma once

#include "gotunnel/app/config.hpp"

#include <cstdio>
#include <string>
#include <vector>

namespace gotunnel::app {

[[nodiscard]] std::string program_help();
[[nodiscard]] std::string server_help();
[[nodiscard]] std::string status_help();
[[nodiscard]] std::string upgrade_help();
[[nodiscard]] std::string reload_help();
[[nodiscard]] std::string client_help();
[[nodiscard]] std::string pki_help();

/// It is a terminal, and NO_COLOR is not set.
[[nodiscard]] bool colours_wanted(std::FILE* where);
/// Sets the log up and says what reading the options had to
/// warn of.
void start_log(const log_config& config, const std::vector<std::string>& warnings);

} // namespace gotunnel::app
