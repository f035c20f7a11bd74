#include "gotunnel/app/go_duration.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace gotunnel::app {
namespace {

// Longest spelling first where one begins another.
constexpr std::array<std::pair<std::string_view, double>, 8> units{{
    {"ns", 1e0},
    {"us", 1e3},
    {"\xc2\xb5s", 1e3},
    {"\xce\xbcs", 1e3},
    {"ms", 1e6},
    {"s", 1e9},
    {"m", 6e10},
    {"h", 3.6e12},
}};

constexpr double longest = 9.2e18; // nanoseconds in an int64

} // namespace

std::optional<duration> parse_duration(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return duration::zero();
  if (text.empty()) return std::nullopt;

  double total = 0;
  while (!text.empty()) {
    double number = 0;
    const auto read =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (read.ec != std::errc() || number < 0 || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
    std::pair<std::string_view, double> found{};
    for (const auto& unit : units)
      if (text.starts_with(unit.first)) {
        found = unit;
        break;
      }
    if (found.first.empty()) return std::nullopt;
    text.remove_prefix(found.first.size());
    total += number * found.second;
    if (!(total < longest)) return std::nullopt;
  }
  return duration(static_cast<duration::rep>(total));
}

} // namespace gotunnel::app
