// The system calls that a tunnel makes; all others fail.
//
//   if (!restrict_system_calls()) ...      // after everything that needs more, before threads are started
//
// A list of what is allowed, so that a call which a later kernel brings is not. What is not on the list fails
// with ENOSYS, and the C library does it the old way or does without; what is refused by name fails with
// EPERM. Threads can be made, processes and namespaces cannot; sockets are those of IPv4, IPv6 (streams and
// datagrams), Unix, and the kernel's messages about routes; of ioctl(), fcntl() and prctl() there is what
// sockets and the C library need. Holds for the calling thread and what it starts, for ever. Needs
// PR_SET_NO_NEW_PRIVS, or root.
#pragma once

namespace gotunnel::app {

/// False when the kernel refused.
[[nodiscard]] bool restrict_system_calls();

} // namespace gotunnel::app
