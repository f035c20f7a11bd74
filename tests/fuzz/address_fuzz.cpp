// Addresses: every text that is accepted is written back as a text that means the same.
#include "gotunnel/wire/address.hpp"

#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::wire;

namespace {

template <class Parse>
void check(Parse parse, std::string_view text) {
  const auto first = parse(text);
  if (const auto* why = std::get_if<1>(&first)) {
    if (why->empty()) std::abort();
    return;
  }
  if (parse(to_string(std::get<0>(first))) != first) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(std::as_bytes(std::span{data, size}));
  check(parse_peer, text);
  check(parse_listen, text);
  check(parse_target, text);

  const auto ports = port_set::parse(text);
  if (const auto* set = std::get_if<port_set>(&ports)) {
    const auto again = port_set::parse(set->to_string());
    if (!std::holds_alternative<port_set>(again)) std::abort();
    if (std::get<port_set>(again).to_string() != set->to_string()) std::abort();
    if (set->contains(0)) std::abort();
  }
  return 0;
}
