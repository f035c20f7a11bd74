// Sizes as people write them: `65536`, `512M`, `2G`, `1.5GiB`; units K M G T of 1024 each, `iB` or `B` may
// follow.
//
// What is no size, negative, or beyond 64 bits is nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gotunnel::app {

[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// `0 B`, `1023 B`, `1.0 KiB`, `512.0 MiB`.
[[nodiscard]] std::string describe_size(std::uint64_t bytes);

} // namespace gotunnel::app
