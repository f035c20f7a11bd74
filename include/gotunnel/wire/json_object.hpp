// JSON from a peer: one object out of one line, within limits, and strict about types. Throws nothing but
// std::bad_alloc.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"

#include <boost/json/object.hpp>

#include <optional>

namespace gotunnel::wire {

inline constexpr std::size_t json_depth_limit = 8; ///< nested objects and arrays, the outermost included

/// broken_frame: not one JSON object (RFC 8259, UTF-8 only), or nested deeper than json_depth_limit. Of two
/// members of one name the later counts. The caller has limited the line's length.
[[nodiscard]] result<boost::json::object> parse_json_object(std::string_view line);

/// The integer, if it is one: not a number with a fraction or an exponent, not a text of digits.
[[nodiscard]] std::optional<std::uint64_t> as_unsigned(const boost::json::value& value) noexcept;
[[nodiscard]] std::optional<std::uint16_t> as_port(const boost::json::value& value) noexcept;

} // namespace gotunnel::wire
