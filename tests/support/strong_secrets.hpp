// Short names for secrets that nobody warns of: each line becomes one that is long and random enough.
#pragma once

#include <string>
#include <string_view>

namespace gotunnel::testing {

inline constexpr std::string_view strong_prefix = "0a93f1b7c25e84d6-";

/// "new\nold\n" -> two strong secrets; empty lines stay empty.
inline std::string strong(std::string_view lines) {
  std::string text;
  bool begins = true;
  for (const char c : lines) {
    if (begins && c != '\n') text += strong_prefix;
    text += c;
    begins = c == '\n';
  }
  return text;
}

/// The name that strong() was given.
inline std::string name_of(std::string_view secret) {
  if (secret.starts_with(strong_prefix)) secret.remove_prefix(strong_prefix.size());
  return std::string(secret);
}

} // namespace gotunnel::testing
