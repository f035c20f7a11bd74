#include "gotunnel/link/greeting_io.hpp"

#include "gotunnel/wire/seed_greeting.hpp"

#include <algorithm>

namespace gotunnel::link {

net::task<> read_exactly(net::stream& from, bytes_span to) {
  while (!to.empty()) {
    const auto bytes = co_await from.read();
    if (!bytes) co_return bytes.error();
    if (bytes->empty()) co_return errc::end_of_stream;
    const std::size_t count = std::min(bytes->size(), to.size());
    std::copy_n(bytes->begin(), count, to.begin());
    from.consume(count);
    to = to.subspan(count);
  }
  co_return result<>();
}

net::task<std::string> read_line(net::stream& from, std::size_t limit) {
  std::string line;
  if (limit <= 4096) line.reserve(limit); // it may be a secret, and is never moved then
  for (;;) {
    const auto bytes = co_await from.read();
    if (!bytes) co_return bytes.error();
    if (bytes->empty()) co_return errc::end_of_stream;
    const auto end = wire::find_line(*bytes, limit - line.size());
    if (!end) co_return end.error();
    const std::size_t count = end->value_or(bytes->size());
    line += as_text(bytes->first(count));
    from.consume(count);
    if (*end) co_return line;
    if (line.size() >= limit) co_return errc::limit_exceeded;
  }
}

} // namespace gotunnel::link
