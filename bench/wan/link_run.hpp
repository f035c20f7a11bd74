// One run of `wan`: both sides, the link between them, and the end of it all.
#pragma once

#include "options.hpp"

namespace gotunnel::wan {

/// The exit code: of the right command, or 128 + the signal that ended the run. Throws not_permitted,
/// usage_error, std::system_error; then nothing is left running.
[[nodiscard]] int run_link(const options& wanted);

} // namespace gotunnel::wan
