// The system calls that a tunnel never makes, and that whoever took it over would like to: they fail with
// EPERM.
//
// A list of what is forbidden and not of what is allowed: libraries change what they call, and a tunnel that
// is killed for it is worse than one that could still do something harmless. For the calling thread and what
// it starts, for ever.
#pragma once

namespace gotunnel::app {

/// False when the kernel refused.
[[nodiscard]] bool forbid_system_calls();

} // namespace gotunnel::app
