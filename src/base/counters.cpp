#include "gotunnel/base/counters.hpp"

#include <atomic>

namespace gotunnel {
namespace {

constexpr std::array<std::string_view, counter_count> names{"sessions",
                                                            "visitors",
                                                            "strangers",
                                                            "sessions_total",
                                                            "visitors_total",
                                                            "clients_not_allowed",
                                                            "visitors_not_allowed",
                                                            "visitors_crowded",
                                                            "strangers_crowded",
                                                            "handshakes_failed",
                                                            "proofs_failed",
                                                            "proofs_delayed",
                                                            "proofs_not_heard",
                                                            "sessions_refused",
                                                            "binds_refused",
                                                            "opens_refused",
                                                            "streams_not_read",
                                                            "log_lines_lost",
                                                            "bytes_in",
                                                            "bytes_out"};

std::array<std::atomic<std::uint64_t>, counter_count> values{};

std::atomic<std::uint64_t>& value_of(counter which) noexcept {
  return values[static_cast<std::size_t>(which)];
}

} // namespace

std::string_view name_of(counter which) noexcept { return names[static_cast<std::size_t>(which)]; }

namespace counters {

void add(counter which, std::uint64_t amount) noexcept {
  value_of(which).fetch_add(amount, std::memory_order_relaxed);
}

void subtract(counter which, std::uint64_t amount) noexcept {
  value_of(which).fetch_sub(amount, std::memory_order_relaxed);
}

std::uint64_t value(counter which) noexcept { return value_of(which).load(std::memory_order_relaxed); }

std::array<counter, counter_count> all() noexcept {
  std::array<counter, counter_count> each{};
  for (std::size_t i = 0; i < counter_count; ++i) each[i] = static_cast<counter>(i);
  return each;
}

} // namespace counters
} // namespace gotunnel
