#include "gotunnel/wire/json_object.hpp"

#include <boost/json/parse.hpp>

#include <limits>

namespace gotunnel::wire {

result<boost::json::object> parse_json_object(std::string_view line) {
  boost::json::parse_options options;
  options.max_depth = json_depth_limit;
  error_code ec;
  boost::json::value value = boost::json::parse({line.data(), line.size()}, ec, {}, options);
  if (ec || !value.is_object()) return errc::broken_frame;
  return std::move(value.get_object());
}

std::optional<std::uint64_t> as_unsigned(const boost::json::value& value) noexcept {
  if (const auto* number = value.if_uint64()) return *number;
  if (const auto* number = value.if_int64(); number != nullptr && *number >= 0)
    return static_cast<std::uint64_t>(*number);
  return std::nullopt;
}

std::optional<std::uint16_t> as_port(const boost::json::value& value) noexcept {
  const auto number = as_unsigned(value);
  if (!number || *number > std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

} // namespace gotunnel::wire
