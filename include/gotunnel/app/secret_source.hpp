// Where the shared secret comes from: -secret, -secret-file, or the environment variable GOTUNNEL_SECRET, in
// this order.
//
// A file may hold up to 4 secrets, one a line, for the time of a rotation: a server takes each of them, a
// client the first. Line ends are dropped; a secret has at most 4096 bytes. A file that everybody can read is
// accepted with a warning. Throws usage_error when there is no secret, when one is empty, or when the file
// cannot be read. Regular files can be read again later; a pipe has been emptied, the rest does not change.
#pragma once

#include "gotunnel/app/option_set.hpp"
#include "gotunnel/base/secret.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace gotunnel::app {

/// Within it a pipe has given all that it has; it may be what somebody types.
inline constexpr std::chrono::seconds stream_patience{60};

struct secret_source {
  std::vector<secret_text> all; ///< one at least; the first is the one to use and to show
  std::filesystem::path file;   ///< where they can be read again; empty: nowhere
};

[[nodiscard]] secret_source read_secrets(const parsed_options& given, std::vector<std::string>& warnings);
/// What the regular file holds now.
[[nodiscard]] std::vector<secret_text> read_secret_file(const std::filesystem::path& path,
                                                        std::vector<std::string>& warnings);

/// Overwrites the value of -secret in the process's own arguments, so that `ps` does not show it. After
/// parsing.
void hide_secret_argument(int argc, char** argv) noexcept;

} // namespace gotunnel::app
