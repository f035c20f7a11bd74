// The control stream: whatever comes, in two pieces or one, means the same; what we read, we write back
// alike.
#include "gotunnel/wire/control.hpp"

#include <cstdlib>
#include <vector>

namespace {

using namespace gotunnel;
using namespace gotunnel::wire;

/// All messages, with nothing for each broken line; then whether the stream still stands.
struct outcome {
  std::vector<std::optional<control_message>> messages;
  bool stands = true;
  friend bool operator==(const outcome&, const outcome&) = default;
};

void drain(control_reader& reader, outcome& to) {
  for (;;) {
    auto message = reader.next();
    if (message && !message->has_value()) return;
    to.messages.push_back(message ? std::move(*message) : std::nullopt);
  }
}

outcome read(bytes_view bytes, std::size_t piece) {
  control_reader reader;
  outcome result;
  while (!bytes.empty() && result.stands) {
    const std::size_t size = std::min(piece, bytes.size());
    result.stands = reader.feed(bytes.first(size)).has_value();
    bytes = bytes.subspan(size);
    drain(reader, result);
  }
  return result;
}

struct has_long_text {
  static bool is_long(const std::string& text) { return text.size() > control_text_limit; }
  bool operator()(const bound_answer& m) const { return is_long(m.address); }
  bool operator()(const error_answer& m) const { return is_long(m.code) || is_long(m.message); }
  bool operator()(const bye_message& m) const { return is_long(m.reason); }
  bool operator()(const auto&) const { return false; }
};

void check_round_trip(const control_message& message) {
  if (std::holds_alternative<unknown_message>(message)) return;
  const std::string line = encode(message);
  if (line.size() > control_line_limit) std::abort();
  const outcome again = read(as_bytes(line), line.size());
  if (!again.stands || again.messages.size() != 1 || !again.messages[0]) std::abort();
  if (!std::visit(has_long_text{}, message) && *again.messages[0] != message) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view bytes = std::as_bytes(std::span{data, size});
  const outcome whole = read(bytes, size);
  if (size <= 512 && whole != read(bytes, 1)) std::abort();
  if (whole != read(bytes, size / 2 + 1)) std::abort();
  for (const auto& message : whole.messages)
    if (message) check_round_trip(*message);
  return 0;
}
