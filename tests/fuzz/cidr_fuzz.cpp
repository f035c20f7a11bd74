// Networks: every list that is accepted is written back as a list that means the same, and permits itself.
#include "gotunnel/wire/cidr.hpp"

#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // The last 17 bytes are somebody who comes.
  ip_endpoint who;
  if (size >= 17) {
    size -= 17;
    who.v6 = (data[size] & 1) != 0;
    for (std::size_t i = 0; i < 16; ++i) who.ip[i] = std::byte{data[size + 1 + i]};
  }
  const auto read = cidr_set::parse(as_text(std::as_bytes(std::span{data, size})));
  if (const auto* why = std::get_if<std::string>(&read)) {
    if (why->empty()) std::abort();
    return 0;
  }
  const auto& set = std::get<cidr_set>(read);
  const auto again = cidr_set::parse(set.to_string());
  if (!std::holds_alternative<cidr_set>(again)) std::abort();
  if (std::get<cidr_set>(again).to_string() != set.to_string()) std::abort();
  if (std::get<cidr_set>(again).permits(who) != set.permits(who)) std::abort();
  return 0;
}
