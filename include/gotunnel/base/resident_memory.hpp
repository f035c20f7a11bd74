// Memory that is only kept because it may be needed again, given back to the system in a quiet moment.
#pragma once

namespace gotunnel {

/// Gives back what this thread's pool of blocks keeps for reuse, what the heap of the process has free, and
/// the pages of code that ran but once: a start, a handshake, a library that tests itself. What is needed
/// again comes back by itself. It takes milliseconds: for a quiet moment after a busy one.
void return_unused_memory() noexcept;

} // namespace gotunnel
