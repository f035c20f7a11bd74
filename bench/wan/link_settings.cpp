#include "link_settings.hpp"

#include "gotunnel/app/go_duration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace gotunnel::wan {
namespace {

constexpr std::size_t least_queue = 500;
// A packet of the usual size; smaller ones make a queue of so many packets shorter in bytes.
constexpr double usual_packet_bits = 1500 * 8;
// Beyond these the arithmetic of the link, nanoseconds in 64 bits, would be at its end.
constexpr duration longest_delay = 1h;
constexpr double highest_rate = 1e12;
constexpr double lowest_rate = 1e3;
constexpr std::size_t longest_queue = 1'000'000;

[[noreturn]] void refuse(std::string_view name, std::string_view value, std::string_view wanted) {
  throw usage_error(fmt::format("{} \"{}\": {}", name, value, wanted));
}

/// The number that `text` begins with, taken from it. Nothing when it begins otherwise.
std::optional<double> take_number(std::string_view& text) {
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  // The negation also refuses what is not a number.
  if (read.ec != std::errc() || !(number >= 0)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  return number;
}

duration read_delay(std::string_view name, std::string_view value) {
  const auto read = app::parse_duration(value);
  if (!read || *read > longest_delay) refuse(name, value, "a duration like 50ms, one hour at most");
  return *read;
}

std::uint64_t read_rate(std::string_view name, std::string_view value) {
  constexpr std::array<std::pair<std::string_view, double>, 4> units{
      {{"bit", 1e0}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}}};
  if (value == "unlimited") return 0;
  std::string_view unit = value;
  const auto number = take_number(unit);
  const auto* const found =
      std::find_if(units.begin(), units.end(), [&](const auto& each) { return each.first == unit; });
  if (number && found != units.end()) {
    const double rate = *number * found->second;
    if (rate >= lowest_rate && rate <= highest_rate) return static_cast<std::uint64_t>(rate);
  }
  refuse(name, value, "a rate from 1kbit to 1000gbit like 100mbit, or unlimited");
}

double read_share(std::string_view name, std::string_view value) {
  std::string_view unit = value;
  const auto number = take_number(unit);
  if (!number || *number > 100 || (unit != "%" && (*number > 0 || !unit.empty())))
    refuse(name, value, "a share like 0.1%");
  return *number / 100;
}

std::size_t read_count(std::string_view name, std::string_view value) {
  std::size_t count = 0;
  const char* const end = value.data() + value.size();
  const auto read = std::from_chars(value.data(), end, count);
  if (read.ec != std::errc() || read.ptr != end || count == 0 || count > longest_queue)
    refuse(name, value, "a number of packets from 1 to 1000000, or auto");
  return count;
}

} // namespace

duration link_settings::lateness() const noexcept {
  return reorder_by.value_or(std::max<duration>(delay / 4, 1ms));
}

std::size_t link_settings::queue_limit() const noexcept {
  if (queue) return *queue;
  const double round_trip = 2 * std::chrono::duration<double>(delay).count();
  const auto packets = static_cast<double>(rate) * round_trip / usual_packet_bits;
  return std::clamp(static_cast<std::size_t>(packets), least_queue, longest_queue);
}

void change(link_settings& settings, std::string_view name, std::string_view value) {
  const bool automatic = value == "auto";
  if (name == "delay")
    settings.delay = read_delay(name, value);
  else if (name == "rate")
    settings.rate = read_rate(name, value);
  else if (name == "loss")
    settings.loss = read_share(name, value);
  else if (name == "reorder")
    settings.reorder = read_share(name, value);
  else if (name == "reorder-by")
    settings.reorder_by = automatic ? std::nullopt : std::optional(read_delay(name, value));
  else if (name == "queue")
    settings.queue = automatic ? std::nullopt : std::optional(read_count(name, value));
  else
    throw usage_error(fmt::format("\"{}\" is nothing that can be set", name));
}

} // namespace gotunnel::wan
