#include "gotunnel/base/log.hpp"

#include "gotunnel/base/output.hpp"
#include "gotunnel/base/printable.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/log/attributes/value_extraction.hpp>
#include <boost/log/core.hpp>
#include <boost/log/sinks/basic_sink_backend.hpp>
#include <boost/log/sinks/unlocked_frontend.hpp>
#include <boost/log/sources/record_ostream.hpp>
#include <boost/log/sources/severity_logger.hpp>
#include <boost/smart_ptr/make_shared.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>

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

std::string as_line(level at, std::string_view channel, std::string_view sentence,
                    std::initializer_list<field> fields) {
  return form.load(std::memory_order_relaxed) == format::json ? as_json(at, channel, sentence, fields)
                                                              : as_text(at, channel, sentence, fields);
}

std::string line_of_loss(std::uint64_t lines) {
  const std::string sentence =
      fmt::format("{} lines were lost: standard error took nothing for a while", lines);
  return as_line(level::warning, "base", sentence, {}) + '\n';
}

/// The queue and the thread are ours (base/output): those of Boost.Log's asynchronous sink neither count what
/// they drop nor end in bounded time when a write hangs.
class to_standard_error : public logging::sinks::basic_sink_backend<logging::sinks::concurrent_feeding> {
public:
  static void consume(const logging::record_view& record) {
    const auto& line = logging::extract<std::string>("Message", record);
    if (line) output::of_process().say(output::stream::err, *line + '\n');
  }
};

/// Also for a line that is logged before setup().
void begin_once() {
  static std::once_flag begun;
  std::call_once(begun, [] {
    output::of_process().tell_losses(line_of_loss);
    logging::core::get()->add_sink(boost::make_shared<logging::sinks::unlocked_sink<to_standard_error>>());
  });
}

} // namespace

void setup(const options& chosen) {
  least = chosen.least;
  form = chosen.form;
  colour = chosen.colour && chosen.form == format::text;

  begin_once();
}

std::optional<level> parse_level(std::string_view name) noexcept {
  for (std::size_t i = 0; i < level_names.size(); ++i)
    if (name == level_names[i]) return static_cast<level>(i);
  return name == "warning" ? std::optional(level::warning) : std::nullopt;
}

void divert(const listener* to) noexcept { diverted = to; }

std::optional<std::uint64_t> limit::allow() noexcept {
  if (diverted.load(std::memory_order_relaxed) != nullptr) return 0;
  const std::lock_guard lock(mutex_);
  return lines_.allow(std::chrono::steady_clock::now());
}

bool enabled(level wanted) noexcept { return wanted >= least.load(std::memory_order_relaxed); }

void write(level at, std::string_view channel, std::string_view sentence,
           std::initializer_list<field> fields) {
  if (!enabled(at)) return;
  if (const listener* const to = diverted.load(std::memory_order_acquire))
    return (*to)(at, channel, sentence);
  const std::string line = as_line(at, channel, sentence, fields);
  begin_once();
  // The filter is ours (`enabled`), so the logger carries no attributes: a record is its line.
  static logging::sources::severity_logger_mt<level> logger;
  BOOST_LOG_SEV(logger, at) << line;
}

} // namespace gotunnel::log
