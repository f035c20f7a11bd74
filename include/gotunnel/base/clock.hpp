// Time as an argument. Floors 0 to 2 never ask what time it is: the driver passes `now` in.
//
// `time_point` is monotonic and measures waits; `wall_time` is the calendar and serves certificates only,
// because it may jump.
#pragma once

#include <chrono>
#include <string>

namespace gotunnel {

using namespace std::chrono_literals;

using duration = std::chrono::nanoseconds;
using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;
using wall_time = std::chrono::sys_seconds;

/// "No deadline": later than every other time point.
inline constexpr time_point never = time_point::max();

/// When this program's source was finished: no clock that shows an earlier time is right.
[[nodiscard]] wall_time source_date() noexcept;

/// `2027-01-31 23:59:59 UTC`, for people.
[[nodiscard]] std::string describe(wall_time when);

} // namespace gotunnel
