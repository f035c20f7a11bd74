#include "gotunnel/net/descriptor_limit.hpp"

#include <algorithm>

#include <sys/resource.h>

namespace gotunnel::net {
namespace {

// An idle process has about 20; some carriers must fit as well.
constexpr std::size_t least_reserve = 48;
// A thousand clients: a carrier and a listener each.
constexpr std::size_t largest_reserve = 2048;

} // namespace

std::size_t raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024; // what POSIX systems grant
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return static_cast<std::size_t>(::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before);
}

std::size_t descriptor_reserve(std::size_t limit) noexcept {
  const std::size_t quarter = std::clamp(limit / 4, least_reserve, largest_reserve);
  return std::min(quarter, limit);
}

std::size_t descriptors_for_visitors(std::size_t limit) noexcept {
  return std::max<std::size_t>(limit - descriptor_reserve(limit), 1);
}

} // namespace gotunnel::net
