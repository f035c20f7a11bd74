// Where the shared secret comes from: -secret, -secret-file, or the environment variable GOTUNNEL_SECRET, in
// this order.
//
//   const typed_secrets typed = take_typed_secrets(argc, argv);      // before the words are copied anywhere
//   secret_source secrets = read_secrets(options, typed, warnings);
//
// What was typed is taken away from where `ps` and /proc show it, and from where the next copy would be made
// of it: options see stars. A file may hold up to 4 secrets, one a line, for the time of a rotation: a server
// takes each of them, a client the first. Line ends at the end are dropped (app/secret_form); a secret has at
// most 4096 bytes and no line break. A secret that is weak, or unlikely to match the other side's, is
// accepted with a warning, and so is a file that everybody can read. Throws usage_error when there is no
// secret, when one is empty, or when the file cannot be read. Regular files can be read again later; a pipe
// has been emptied, the rest does not change.
#pragma once

#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/option_set.hpp"
#include "gotunnel/base/secret.hpp"
#include "gotunnel/net/descriptor.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace gotunnel::app {

/// Within it a pipe has given all that it has; it may be what somebody types.
inline constexpr std::chrono::seconds stream_patience{60};

struct typed_secrets {
  std::optional<secret_text> option;      ///< of -secret; the last one counts
  std::optional<secret_text> environment; ///< of GOTUNNEL_SECRET
};

/// Overwrites them in the process's own arguments and environment. A word after -secret is its value,
/// wherever it stands.
[[nodiscard]] typed_secrets take_typed_secrets(int argc, char** argv);

struct secret_source {
  std::vector<secret_text> all; ///< one at least; the first is the one to use and to show
  std::filesystem::path file;   ///< where they can be read again; empty: nowhere
};

[[nodiscard]] secret_source read_secrets(const parsed_options& given, const typed_secrets& typed,
                                         std::vector<std::string>& warnings);
/// What the regular file holds now.
[[nodiscard]] std::vector<secret_text> read_secret_file(const std::filesystem::path& path,
                                                        std::vector<std::string>& warnings);

/// How another process of this program gets secrets that are in no file: as descriptor `handed_secrets`, and
/// with words that name it. A file in memory, which nobody can change, and which its reader closes.
inline constexpr int handed_secrets = 4;
/// None when the system has no descriptor left.
[[nodiscard]] net::descriptor hand_secrets(const std::vector<secret_text>& secrets);
[[nodiscard]] arguments naming_handed_secrets(const arguments& words);

} // namespace gotunnel::app
