#include "gotunnel/base/log.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/log/core.hpp>
#include <boost/log/expressions.hpp>
#include <boost/log/sinks/sync_frontend.hpp>
#include <boost/log/sinks/text_ostream_backend.hpp>
#include <boost/log/sources/record_ostream.hpp>
#include <boost/log/sources/severity_logger.hpp>
#include <boost/smart_ptr/make_shared.hpp>
#include <boost/smart_ptr/shared_ptr.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <iostream>

namespace gotunnel::log {
namespace {

namespace logging = boost::log;

constexpr std::array<std::string_view, 5> level_names{"trace", "debug", "info", "warn", "error"};
constexpr std::array<std::string_view, 5> level_colours{"\x1b[2m", "\x1b[2m", "", "\x1b[33m", "\x1b[31m"};

std::atomic<level> least{level::warning};
std::atomic<format> form{format::text};
std::atomic<bool> colour{false};
std::atomic<const listener*> diverted{nullptr};

std::string_view name_of(level at) noexcept { return level_names[static_cast<std::size_t>(at)]; }

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count() % 1'000'000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, micros);
}

/// How many bytes at the front are one character of UTF-8 (RFC 3629); 0 when they are none.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  // Neither longer than needed, nor half of a surrogate pair, nor beyond the last code point.
  const unsigned second = byte(1);
  const bool none = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                    (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
  return none ? 0 : size;
}

/// A hostile peer must not be able to forge a line or to move the reader's cursor, not even with a control
/// character that takes two bytes (U+0080 to U+009F); and no line may be anything but UTF-8.
void append_printable(std::string& line, std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    const auto code = static_cast<unsigned char>(text.front());
    const bool control = code < 0x20 || code == 0x7f ||
                         (code == 0xc2 && size == 2 && static_cast<unsigned char>(text[1]) < 0xa0);
    const std::size_t taken = std::max<std::size_t>(size, 1);
    for (const char c : text.substr(0, taken)) {
      if (size == 0 || control)
        line += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      else
        line.push_back(c);
    }
    text.remove_prefix(taken);
  }
}

std::string printable(std::string_view text) {
  std::string line;
  append_printable(line, text);
  return line;
}

std::string as_text(level at, std::string_view channel, std::string_view sentence,
                    std::initializer_list<field> fields) {
  const bool coloured = colour.load(std::memory_order_relaxed);
  std::string line = timestamp();
  line += fmt::format(" {}{:<5}{} {}: ", coloured ? level_colours[static_cast<std::size_t>(at)] : "",
                      name_of(at), coloured ? "\x1b[0m" : "", channel);
  append_printable(line, sentence);
  for (const field& f : fields) {
    line += fmt::format(" {}=", f.name);
    append_printable(line, f.value);
  }
  return line;
}

std::string as_json(level at, std::string_view channel, std::string_view sentence,
                    std::initializer_list<field> fields) {
  boost::json::object line{
      {"time", timestamp()}, {"level", name_of(at)}, {"channel", channel}, {"message", printable(sentence)}};
  for (const field& f : fields) line[f.name] = printable(f.value);
  return boost::json::serialize(line);
}

} // namespace

void setup(const options& chosen) {
  least = chosen.least;
  form = chosen.form;
  colour = chosen.colour && chosen.form == format::text;

  const auto backend = boost::make_shared<logging::sinks::text_ostream_backend>();
  backend->add_stream(boost::shared_ptr<std::ostream>(&std::clog, [](std::ostream*) {}));
  backend->auto_flush(true);
  logging::core::get()->remove_all_sinks();
  logging::core::get()->add_sink(
      boost::make_shared<logging::sinks::synchronous_sink<logging::sinks::text_ostream_backend>>(backend));
}

std::optional<level> parse_level(std::string_view name) noexcept {
  for (std::size_t i = 0; i < level_names.size(); ++i)
    if (name == level_names[i]) return static_cast<level>(i);
  return name == "warning" ? std::optional(level::warning) : std::nullopt;
}

void divert(const listener* to) noexcept { diverted = to; }

bool enabled(level wanted) noexcept { return wanted >= least.load(std::memory_order_relaxed); }

void write(level at, std::string_view channel, std::string_view sentence,
           std::initializer_list<field> fields) {
  if (!enabled(at)) return;
  if (const listener* const to = diverted.load(std::memory_order_acquire))
    return (*to)(at, channel, sentence);
  const std::string line = form.load(std::memory_order_relaxed) == format::json
                               ? as_json(at, channel, sentence, fields)
                               : as_text(at, channel, sentence, fields);
  // The filter is ours (`enabled`), so the logger carries no attributes: a record is its line.
  static logging::sources::severity_logger_mt<level> logger;
  BOOST_LOG_SEV(logger, at) << line;
}

} // namespace gotunnel::log
