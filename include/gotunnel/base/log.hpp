// Log lines: a level, the channel of a room, one sentence, and a few named values.
//
//   log::info("reverse", "port {} opened", 8080);
//   log::warn("reverse", fmt::format(...), {{"client", id}});     // named values become JSON members
//
// Lines go to stderr, as text or as one JSON object a line (`-log-format`). Any thread may log. A secret has
// no formatter, so it cannot be logged. A line never holds control characters: bytes from the network are
// escaped here.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace gotunnel::log {

enum class level { trace, debug, info, warning, error };
enum class format { text, json };

struct options {
  level least = level::info;
  format form = format::text;
  bool colour = false; ///< ANSI colours; the caller has looked at the terminal and at NO_COLOR
};

/// Once, before the first line. Until then lines of level warning and above go out as plain text.
void setup(const options& chosen);

[[nodiscard]] std::optional<level> parse_level(std::string_view name) noexcept;
[[nodiscard]] bool enabled(level wanted) noexcept;

/// Takes lines in place of stderr, on the thread that logs; for tests, where an unexpected line is a failure.
using listener = std::function<void(level at, std::string_view channel, std::string_view sentence)>;
/// Borrowed until the next call; null: stderr again. Not while other threads log.
void divert(const listener* to) noexcept;

struct field {
  std::string_view name;
  std::string value;
};

void write(level at, std::string_view channel, std::string_view sentence,
           std::initializer_list<field> fields = {});

template <class... Args>
void debug(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(level::debug)) write(level::debug, channel, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(level::info)) write(level::info, channel, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warn(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(level::warning)) write(level::warning, channel, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(level::error)) write(level::error, channel, fmt::format(text, std::forward<Args>(args)...));
}

} // namespace gotunnel::log
