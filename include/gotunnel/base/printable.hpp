// Text that may have come from a peer, made safe to show: on a terminal, in a log line, in an answer in JSON.
//
//   printable("a\nb\x1b[2J")             // a\x0ab\x1b[2J, in one line
//   printable_json(answer)                  // the same value, with such characters as \u202e
//
// Escaped are control characters (C0, DEL, C1: U+0080 to U+009F), line and paragraph separators (U+2028,
// U+2029), everything that turns the direction of text (the Unicode property Bidi_Control), and each byte
// that is not UTF-8 (RFC 3629). So a peer can neither forge a line, nor move the cursor, nor show text in
// another order than it is in. The result is valid UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace gotunnel {

void append_printable(std::string& line, std::string_view text);
[[nodiscard]] std::string printable(std::string_view text);

/// For a JSON text without line breaks between its values: outside of its strings nothing is ever escaped.
[[nodiscard]] std::string printable_json(std::string_view json);

} // namespace gotunnel
