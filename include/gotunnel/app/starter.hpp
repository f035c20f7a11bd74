// A process of its own that does one thing: it starts this program anew, with the words and the environment
// of the first start, for an upgrade (app/upgrade).
//
//   starter next = starter::begin({words, become, bounded}, typed);   // before secrets are read, and threads are started
//   next.follow();                                  // it gives root up as well; after the server did
//   next.start(std::move(end), std::move(secrets)); // the new process finds `end` as former_process()
//
// Apart from the server, because a server in its sandbox can start nothing, and what it would start would be
// in that sandbox, too. For the same reason this process has no sandbox: system calls and files that it gave
// up would be gone for every server that it starts, before that can open its doors. It gives up what they do
// not need either: root, when the server does, and the rights of set-uid programs (`bounded`). It holds no
// secret: it is there before one is read, wipes what was typed, and passes on as a descriptor, unread, what
// the next process cannot read from a file.
//
// The program is looked up each time under the name by which it was called, so that a new file in the same
// place is what starts. What the new process says goes where this one's words go. The starter ends when its
// server does. On one thread.
#pragma once

#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/secret_source.hpp"
#include "gotunnel/net/parcel.hpp"

#include <functional>
#include <optional>

namespace gotunnel::app {

struct starter_plan {
  arguments words;               ///< of the next process
  std::function<void()> give_up; ///< what follow() makes it do; failing ends it
  bool bounded = true;           ///< PR_SET_NO_NEW_PRIVS
};

class starter {
public:
  /// In the other process `typed` is wiped. Throws std::system_error when there can be no other process.
  [[nodiscard]] static starter begin(const starter_plan& plan, typed_secrets& typed);

  [[nodiscard]] result<> follow();
  /// Whether it was asked; whether the program started shows at the other end of `end`, which is closed when
  /// it did not. `secrets` (hand_secrets) are none where the next process reads them from the same file.
  [[nodiscard]] result<> start(net::descriptor end, net::descriptor secrets);

private:
  explicit starter(net::parcel_socket orders) noexcept : orders_(std::move(orders)) {}

  net::parcel_socket orders_;
};

/// The server that has started this one to take over from it; none when somebody else did. Once.
[[nodiscard]] std::optional<net::parcel_socket> former_process();

} // namespace gotunnel::app
