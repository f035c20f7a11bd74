// Durations as Go's time.ParseDuration reads them: `300ms`, `1m30s`, `1.5h`; units ns us (or µs) ms s m h; 0
// needs no unit.
//
// Negative durations and those beyond about 290 years are refused: no option of ours has a use for them.
#pragma once

#include "gotunnel/base/clock.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gotunnel::app {

[[nodiscard]] std::optional<duration> parse_duration(std::string_view text);

} // namespace gotunnel::app
