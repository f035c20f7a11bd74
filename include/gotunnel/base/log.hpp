// Log lines: a level, the channel of a room, one sentence, and a few named values.
//
//   log::info("reverse", "port {} opened", 8080);
//   log::warn("reverse", fmt::format(...), {{"client", id}});     // named values become JSON members
//
//   static log::limit often;                                     // for a line that a peer can cause
//   log::info(often, "reverse", "client {} connected", address);
//
// Lines go to stderr (base/output), as text or as one JSON object a line (`-log-format`). Any thread may log,
// and none waits for it. A secret has no formatter, so it cannot be logged. What a line says is escaped here
// (base/printable). Lines from info upwards that a peer can cause again and again have a limit; those of
// lower levels have none, for whoever asks for them wants them all.
#pragma once

#include "gotunnel/base/rate_limit.hpp"

#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <mutex>
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

/// Of one place that logs, for the whole process: some lines at once, then one a period. The next line says
/// how many were held back. Nothing is held back while lines are diverted.
class limit {
public:
  explicit constexpr limit(duration period = 1s, unsigned burst = 5) noexcept : lines_(period, burst) {}

  /// As rate_limit.
  [[nodiscard]] std::optional<std::uint64_t> allow() noexcept;

private:
  std::mutex mutex_;
  rate_limit lines_;
};

template <class... Args>
void say(level at, std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(at)) write(at, channel, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void say(level at, limit& often, std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  if (!enabled(at)) return;
  if (const auto held_back = often.allow())
    write(at, channel, fmt::format(text, std::forward<Args>(args)...) + also_held_back(*held_back));
}

template <class... Args>
void debug(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  say(level::debug, channel, text, std::forward<Args>(args)...);
}
template <class... Args>
void info(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  say(level::info, channel, text, std::forward<Args>(args)...);
}
template <class... Args>
void info(limit& often, std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  say(level::info, often, channel, text, std::forward<Args>(args)...);
}
template <class... Args>
void warn(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  say(level::warning, channel, text, std::forward<Args>(args)...);
}
template <class... Args>
void warn(limit& often, std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  say(level::warning, often, channel, text, std::forward<Args>(args)...);
}
template <class... Args>
void error(std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  say(level::error, channel, text, std::forward<Args>(args)...);
}
template <class... Args>
void error(limit& often, std::string_view channel, fmt::format_string<Args...> text, Args&&... args) {
  say(level::error, often, channel, text, std::forward<Args>(args)...);
}

} // namespace gotunnel::log
