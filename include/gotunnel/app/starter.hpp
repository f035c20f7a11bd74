// A process of its own that does one thing: it starts this program anew, with the words and the environment
// of the first start, for an upgrade (app/upgrade).
//
//   starter next = starter::begin(words);                 // before threads are started, and before the sandbox
//   next.start(std::move(end));                            // the new process finds `end` as former_process()
//
// Apart from the server, because a server in its sandbox can start nothing, and what it would start would be
// in that sandbox, too. The program is looked up each time under the name by which it was called, so that a
// new file in the same place is what starts. What the new process says goes where this one's words go. The
// starter ends when its server does. On one thread.
#pragma once

#include "gotunnel/app/commands.hpp"
#include "gotunnel/net/parcel.hpp"

#include <optional>

namespace gotunnel::app {

class starter {
public:
  /// Throws std::system_error when there can be no other process.
  [[nodiscard]] static starter begin(const arguments& words);

  /// Whether it was asked; whether the program started shows at the other end of `end`, which is closed when
  /// it did not.
  [[nodiscard]] result<> start(net::descriptor end);

private:
  explicit starter(net::parcel_socket orders) noexcept : orders_(std::move(orders)) {}

  net::parcel_socket orders_;
};

/// The server that has started this one to take over from it; none when somebody else did. Once.
[[nodiscard]] std::optional<net::parcel_socket> former_process();

} // namespace gotunnel::app
