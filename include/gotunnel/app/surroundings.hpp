// What a process inherits is what somebody else left: made sane at the start of main(), before anything else.
//
//   settle_surroundings();
//
// Standard input, output and error are open: /dev/null is, where they were closed, or the first file that is
// opened would be the log. No signal is blocked; those that mean nothing to this program are ignored instead
// of ending it. New files are for their owner. Nobody of the same user looks into this process, and it leaves
// no core: it holds a secret (PR_SET_DUMPABLE, RLIMIT_CORE). Root still can look. Throws std::system_error
// when there is no /dev/null.
#pragma once

namespace gotunnel::app {

void settle_surroundings();

/// Again after the user was changed, which makes the kernel forget it.
void forbid_inspection() noexcept;

} // namespace gotunnel::app
