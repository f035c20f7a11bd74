#include "gotunnel/app/descriptor_plan.hpp"

#include "gotunnel/net/descriptor_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace gotunnel::app {
namespace {

// Fewer, and two handshakes at once would be in each other's way.
constexpr std::size_t least_strangers = 4;

} // namespace

descriptor_plan plan_descriptors(std::size_t limit, const server_config& config) {
  const std::size_t reserve = net::descriptor_reserve(limit);
  const std::size_t room = net::descriptors_for_visitors(limit);
  descriptor_plan plan;
  plan.visitors.all = config.max_visitors == 0 ? room : std::min(config.max_visitors, room);
  plan.visitors.of_an_address = config.max_visitors_per_address;
  // One half of the reserve is for clients and what else is open, the other for strangers. When clients need
  // more, visitors yield.
  const std::size_t half = reserve / 2;
  plan.visitors.descriptors =
      static_cast<int>(std::min<std::size_t>(limit - half, std::numeric_limits<int>::max()));
  auto& strangers = plan.strangers;
  strangers = reverse::waiting_limits::of_one_in(std::max<std::size_t>(config.workers, 1));
  strangers.all = std::clamp(half / std::max<std::size_t>(config.workers, 1), least_strangers, strangers.all);
  strangers.of_a_source = std::min(strangers.of_a_source, strangers.all / 2);
  if (config.max_visitors > room)
    plan.trouble =
        fmt::format("-max-visitors \"{}\": the limit of open files ({}) leaves room for {}; raise it "
                    "(`ulimit -Hn`, LimitNOFILE= of the unit)",
                    config.max_visitors, limit, room);
  return plan;
}

} // namespace gotunnel::app
