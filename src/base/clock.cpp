#include "gotunnel/base/clock.hpp"

#include <fmt/format.h>

#include <ctime>

namespace gotunnel {

wall_time source_date() noexcept { return wall_time{std::chrono::seconds{GOTUNNEL_SOURCE_DATE}}; }

std::string describe(wall_time when) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

} // namespace gotunnel
