// What the process has counted since it started, by name: for `gotunnel server status`.
//
//   counters::add(counter::proofs_failed);
//   const counters::held present(counter::sessions);          // one more for as long as it lives
//   for (counter each : counters::all()) use(name_of(each), counters::value(each));
//
// Nothing in the program decides by them. One relaxed atomic addition an event, never one a frame: what
// passes with the frames is added up by its owner first. Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gotunnel {

enum class counter : std::uint8_t {
  // Now.
  sessions,  ///< clients that have proved the secret
  visitors,  ///< connections to public ports, or to the local service
  strangers, ///< connections that have not proved the secret
  // Since the start.
  sessions_total,
  visitors_total,
  clients_not_allowed,  ///< refused by -allow-clients
  visitors_not_allowed, ///< refused by -allow-visitors
  visitors_crowded,     ///< refused: too many in all, of their client, at their port or of their address
  strangers_crowded,    ///< dropped for a newer stranger: too many, of one address or of all
  handshakes_failed,    ///< no TLS, another protocol, too slow, too many bytes
  proofs_failed,        ///< a wrong secret
  proofs_delayed,       ///< waited for their turn: too many wrong ones had come before
  proofs_not_heard,     ///< closed without a verdict: their turn would have come too late
  sessions_refused,     ///< of a client that had too many; one that waited may have been ended instead
  binds_refused,        ///< ports that a client asked for and did not get
  opens_refused,        ///< streams that a peer opened above its limits
  streams_not_read,     ///< reset because nobody read what came for them
  log_lines_lost,       ///< dropped because standard error or output took nothing for long
  bytes_in,             ///< read from carriers, within some seconds
  bytes_out,            ///< written to carriers
};

inline constexpr std::size_t counter_count = static_cast<std::size_t>(counter::bytes_out) + 1;

/// As in the enumeration.
[[nodiscard]] std::string_view name_of(counter which) noexcept;

namespace counters {

void add(counter which, std::uint64_t amount = 1) noexcept;
void subtract(counter which, std::uint64_t amount = 1) noexcept;
[[nodiscard]] std::uint64_t value(counter which) noexcept;
/// In the order of the enumeration.
[[nodiscard]] std::array<counter, counter_count> all() noexcept;

/// Counts something that is there for a while.
class held {
public:
  explicit held(counter which) noexcept : which_(which) { add(which_); }
  held(const held&) = delete;
  held& operator=(const held&) = delete;
  ~held() { subtract(which_); }

private:
  counter which_;
};

} // namespace counters
} // namespace gotunnel
