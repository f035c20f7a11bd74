// What is taken for a secret, and what is said about it: the same for -secret, -secret-file and
// GOTUNNEL_SECRET, on the server and on the client.
//
//   const std::string_view secret = without_line_end(text);                        // `$(cat file)` or not, it is the same
//   for (const std::string& each : doubts_about(secret)) warn(source + ": " + each);
//
// Only line ends at the end are dropped. Blanks and a byte order mark stay part of the secret, with a
// warning: two sides that both have them work today, and would no longer match as soon as one of them is
// updated to a version that drops them. A warning never holds the secret or a part of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::app {

/// Shorter ones can be guessed.
inline constexpr std::size_t good_secret_size = 16;

[[nodiscard]] std::string_view without_line_end(std::string_view text) noexcept;
/// A sentence each: what may keep the secret from matching the other side's, and what makes it easy to guess.
[[nodiscard]] std::vector<std::string> doubts_about(std::string_view secret);

} // namespace gotunnel::app
