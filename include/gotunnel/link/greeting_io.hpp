// The two ways in which a greeting is read from a stream: an exact number of bytes, or a line.
//
// What follows the greeting stays in the stream for the next reader. errc::end_of_stream when the peer stops
// halfway.
#pragma once

#include "gotunnel/net/stream.hpp"

#include <string>

namespace gotunnel::link {

/// Fills `to`.
[[nodiscard]] net::task<> read_exactly(net::stream& from, bytes_span to);
/// A line with its '\n'; errc::limit_exceeded when none ends within `limit` bytes.
[[nodiscard]] net::task<std::string> read_line(net::stream& from, std::size_t limit);

} // namespace gotunnel::link
