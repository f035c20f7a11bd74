// A header that decodes must encode to the same bytes.
#include "gotunnel/wire/smux_frame.hpp"

#include <algorithm>
#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view input = std::as_bytes(std::span{data, size});
  if (input.size() < 1 + smux_header::size) return 0;
  const auto flags = std::to_integer<unsigned>(input[0]);
  const auto from = input.subspan<1, smux_header::size>();
  const auto header = decode_header(from, flags & 1 ? 1 : 2, (flags & 2) != 0, (flags & 4) != 0);
  if (!header) return 0;
  std::array<std::byte, smux_header::size> again;
  encode(*header, again);
  if (!std::equal(from.begin(), from.end(), again.begin())) std::abort();
  return 0;
}
