#include "gotunnel/app/byte_size.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace gotunnel::app {
namespace {

constexpr std::string_view units = "KMGT";

} // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  // from_chars reads "inf" and "-1", too.
  if (failure != std::errc{} || !std::isfinite(number) || std::signbit(number)) return std::nullopt;
  std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  if (const auto power = unit.empty() ? units.npos : units.find(unit.front()); power != units.npos) {
    number = std::ldexp(number, 10 * static_cast<int>(power + 1));
    unit.remove_prefix(1);
    if (unit == "iB" || unit == "B") unit = {};
  } else if (unit == "B") {
    unit = {};
  }
  if (!unit.empty() || number >= std::ldexp(1.0, 63)) return std::nullopt;
  return static_cast<std::uint64_t>(number);
}

std::string describe_size(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto number = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (number /= 1024; number >= 1024 && unit + 1 < units.size(); number /= 1024) ++unit;
  return fmt::format("{:.1f} {}iB", number, units[unit]);
}

} // namespace gotunnel::app
