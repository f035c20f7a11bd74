// What a client has open to its local service: how many visits at once, and whether one of them is its own.
//
//   local_visits visits(768);                                  // one a client, shared by its sessions
//   local_visits::visit here(visits);
//   if (!here.admitted()) ...                                  // as many as may be are there
//   if (here.came_by(header.peer) || here.dialled(socket)) ... // it loops
//
// A local target that is the client's own public port would make one visitor an endless chain: each dial is
// the next visitor. The two ends of such a connection are the same pair of addresses, at the dial and in the
// PROXY header of the visitor, as long as nothing on the way translates them. Whichever of the two is known
// last finds the other. One worker.
#pragma once

#include "gotunnel/wire/proxy_header.hpp"

#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>

namespace gotunnel::reverse {

class local_visits {
public:
  using connection = wire::proxy_header::addresses;

  explicit local_visits(std::size_t most = std::numeric_limits<std::size_t>::max()) : most_(most) {}
  local_visits(const local_visits&) = delete;
  local_visits& operator=(const local_visits&) = delete;

  [[nodiscard]] std::size_t most() const noexcept { return most_; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

private:
  enum side : std::size_t { visitor, dial };
  using key = std::array<std::byte, 38>; ///< both endpoints: family, address, port
  /// How many visits know the connection from this side: two for a moment when a pair of addresses is used
  /// again.
  using side_counts = std::array<std::size_t, 2>;
  using mark_map = std::map<key, side_counts>;

public:
  class visit {
  public:
    explicit visit(local_visits& among) noexcept;
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;
    ~visit();

    [[nodiscard]] bool admitted() const noexcept { return admitted_; }
    /// The visitor's connection to the public port: true when it is a dial of this client.
    [[nodiscard]] bool came_by(const connection& which);
    /// The connection to the local service: true when a visitor came by it.
    [[nodiscard]] bool dialled(const connection& which);

  private:
    [[nodiscard]] bool put(const connection& which, side ours);
    void take(side ours);

    local_visits& among_;
    bool admitted_;
    std::array<std::optional<mark_map::iterator>, 2> marks_; ///< by side
  };

private:
  [[nodiscard]] static key key_of(const connection& which);

  std::size_t most_;
  std::size_t count_ = 0;
  mark_map marks_;
};

} // namespace gotunnel::reverse
