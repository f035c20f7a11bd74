// The two ways in which a greeting is read from a stream: an exact number of bytes, or a line.
//
// What follows the greeting stays in the stream for the next reader. errc::end_of_stream when the peer stops
// halfway.
#pragma once

#include "gotunnel/base/secret.hpp"
#include "gotunnel/net/stream.hpp"

#include <string>

namespace gotunnel::link {

/// Of a line that may be a secret: its memory, also when its reader is cancelled.
struct wiped_at_the_end {
  std::string& text;
  ~wiped_at_the_end() { wipe(text.data(), text.size()); }
};

/// Fills `to`.
[[nodiscard]] net::task<> read_exactly(net::stream& from, bytes_span to);
/// A line with its '\n'; errc::limit_exceeded when none ends within `limit` bytes.
[[nodiscard]] net::task<std::string> read_line(net::stream& from, std::size_t limit);

} // namespace gotunnel::link
