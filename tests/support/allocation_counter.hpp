// How often the test program has asked for memory: malloc and its kin count, and with them operator new. A
// sanitizer has a malloc of its own; then only operator new counts.
//
//   const auto before = allocations(); hot_path(); BOOST_TEST(allocations() == before);
//
// Any thread; the count is of the whole program.
#pragma once

#include <cstddef>

namespace gotunnel::testing {

[[nodiscard]] std::size_t allocations() noexcept;

} // namespace gotunnel::testing
