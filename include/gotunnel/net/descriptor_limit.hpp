// How many descriptors this process may have, and how many of them visitors may take.
//
//   const std::size_t limit = raise_descriptor_limit();          // first of all, while nothing is open
//   ... at most descriptors_for_visitors(limit) visitors ...
//
// The rest is a reserve: listeners, strangers, carriers, the control socket and files must never wait for a
// visitor to leave. A new descriptor gets the lowest number that is free (POSIX), so its number says how many
// are in use.
#pragma once

#include <cstddef>

namespace gotunnel::net {

/// Raises the soft limit to the hard one. Returns the limit that holds.
std::size_t raise_descriptor_limit() noexcept;
/// A quarter, within bounds.
[[nodiscard]] std::size_t descriptor_reserve(std::size_t limit) noexcept;
[[nodiscard]] std::size_t descriptors_for_visitors(std::size_t limit) noexcept;

} // namespace gotunnel::net
