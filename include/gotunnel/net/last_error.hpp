// What the last system call of this thread failed with.
#pragma once

#include "gotunnel/base/error.hpp"

#include <cerrno>

namespace gotunnel::net {

[[nodiscard]] inline error_code last_error() noexcept { return {errno, boost::system::system_category()}; }

} // namespace gotunnel::net
