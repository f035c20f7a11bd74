// The original protocol's lines, each reader on the same bytes; what we read, we write back alike.
#include "gotunnel/wire/seed_greeting.hpp"

#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view bytes = std::as_bytes(std::span{data, size});

  const auto line = find_line(bytes, seed_secret_limit);
  if (line && *line && (**line > seed_secret_limit || bytes[**line - 1] != std::byte{'\n'})) std::abort();
  if (line && !*line && size >= seed_secret_limit) std::abort();

  // A secret that can be carried is the one that its own line carries.
  const secret_text secret{std::string{as_text(bytes)}};
  if (seed_can_carry(secret)) {
    const std::string sent = " \t" + std::string{secret.reveal()} + "\r\n";
    if (!seed_secret_matches(as_bytes(sent), secret)) std::abort();
  } else if (seed_secret_matches(bytes, secret) && as_text(bytes).find('\n') == std::string_view::npos) {
    std::abort();
  }
  (void)read_seed_verdict(bytes);

  if (const auto port = read_seed_request(bytes)) {
    const auto again = read_seed_request(as_bytes(encode_seed_request(*port)));
    if (!again || *again != *port) std::abort();
  }
  if (const auto answer = read_seed_answer(bytes)) {
    const auto again = read_seed_answer(as_bytes(encode(*answer)));
    if (!again || *again != *answer) std::abort();
  }
  return 0;
}
