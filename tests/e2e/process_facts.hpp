// What the kernel says about a running process: memory, descriptors, processor time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string_view>
#include <vector>

namespace gotunnel::testing {

/// Resident memory in KiB (VmRSS).
[[nodiscard]] std::size_t resident_kib(pid_t process);
/// The most there ever was (VmHWM).
[[nodiscard]] std::size_t peak_kib(pid_t process);
[[nodiscard]] std::size_t open_descriptors(pid_t process);
[[nodiscard]] std::vector<pid_t> children_of(pid_t process);
/// How often a text stands in what the process may write to: heap, stacks, data. Root may ask.
[[nodiscard]] std::size_t copies_in_memory(pid_t process, std::string_view text);
/// User and system time of all threads.
[[nodiscard]] std::chrono::milliseconds processor_time(pid_t process);

/// Sanitizers keep freed memory and take several times as long: bounds on either mean something without them
/// only.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

} // namespace gotunnel::testing
