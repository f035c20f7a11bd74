// Where the shared secret comes from: -secret, -secret-file, or the environment variable GOTUNNEL_SECRET, in
// this order.
//
// A file's trailing line end is dropped; it may hold at most 4096 bytes. A file that everybody can read is
// accepted with a warning. Throws usage_error when there is no secret, when it is empty, or when the file
// cannot be read.
#pragma once

#include "gotunnel/app/option_set.hpp"
#include "gotunnel/base/secret.hpp"

#include <string>
#include <vector>

namespace gotunnel::app {

[[nodiscard]] secret_text read_secret(const parsed_options& given, std::vector<std::string>& warnings);

/// Overwrites the value of -secret in the process's own arguments, so that `ps` does not show it. After
/// parsing.
void hide_secret_argument(int argc, char** argv) noexcept;

} // namespace gotunnel::app
