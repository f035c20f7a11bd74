// How a server divides its descriptors: so many for visitors, so many for strangers, and the rest for doors,
// carriers, the control socket and files.
//
//   const descriptor_plan plan = plan_descriptors(net::raise_descriptor_limit(), config);
//   if (!plan.trouble.empty()) log::warn(...);                  // -max-visitors is more than there is room for
#pragma once

#include "gotunnel/app/config.hpp"
#include "gotunnel/reverse/visitor_quota.hpp"
#include "gotunnel/reverse/waiting_room.hpp"

#include <string>

namespace gotunnel::app {

struct descriptor_plan {
  reverse::visitor_limits visitors;
  reverse::waiting_limits strangers; ///< on each worker
  std::string trouble;
};

/// `limit`: descriptors of the process.
[[nodiscard]] descriptor_plan plan_descriptors(std::size_t limit, const server_config& config);

} // namespace gotunnel::app
