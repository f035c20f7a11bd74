// PROXY v2: never waits for more than the limit, is stable under more bytes, and survives being written
// again.
#include "gotunnel/wire/proxy_header.hpp"

#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view bytes = std::as_bytes(std::span{data, size});
  const auto read = read_proxy_header(bytes);
  if (!read) return 0;
  if (!*read) {
    if (size >= proxy_header_limit) std::abort();
    return 0;
  }
  const proxy_header_read& found = **read;
  if (found.size > size || found.size > proxy_header_limit) std::abort();

  const auto early = read_proxy_header(bytes.first(found.size - 1));
  if (!early || early->has_value()) std::abort();

  std::vector<std::byte> written;
  encode(found.header, written);
  const auto again = read_proxy_header(written);
  if (!again || !*again || (*again)->header != found.header || (*again)->size != written.size()) std::abort();
  return 0;
}
