// The network of one side: a namespace without a name, and in it `lo` and the TUN interface `wan0`.
//
// Nothing of it outlives the processes inside and the descriptor of the interface: there is nothing to clean
// up, whatever ends the program. The kernel cuts into packets before the interface (no offloads), so that
// what is read from the descriptor is what a line would carry.
#pragma once

#include "descriptor.hpp"

#include <array>

namespace gotunnel::wan {

struct side_address {
  std::string local;
  std::string peer; ///< in the same /30
};

/// Moves this process into a network namespace of its own; where that takes rights that it lacks, into a user
/// namespace as well, in which it is root. Throws std::system_error.
void enter_own_network();

/// Makes and starts the interfaces of the network that this process is in; the descriptor of `wan0`,
/// non-blocking. Throws std::system_error.
[[nodiscard]] descriptor open_interface(const side_address& address, int mtu);

} // namespace gotunnel::wan
