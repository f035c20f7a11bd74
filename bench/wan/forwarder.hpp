// Carries packets between two interfaces, as their two link models say.
//
//   forwarder link(left, right, settings, seed);
//   link.receive(to_right) when the left interface is readable, link.receive(to_left) when the right one is
//   link.deliver() after that, and at link.deadline()
//
// TUN moves one packet a call, so a call of ours moves up to 64 and then lets the others have their turn.
#pragma once

#include "link_model.hpp"

#include <array>

namespace gotunnel::wan {

enum class direction : std::size_t { to_right = 0, to_left = 1 };
inline constexpr std::array directions{direction::to_right, direction::to_left};

class forwarder {
public:
  /// The interfaces are borrowed.
  forwarder(int left, int right, const link_settings& settings, std::uint64_t seed);

  [[nodiscard]] link_model& line(direction towards) noexcept { return path(towards).line; }

  void receive(direction towards);
  void deliver();
  /// When deliver() may have something to do.
  [[nodiscard]] time_point deadline() const noexcept;

private:
  struct one_way {
    int from;
    int to;
    link_model line;
  };

  [[nodiscard]] one_way& path(direction towards) noexcept {
    return paths_[static_cast<std::size_t>(towards)];
  }

  std::array<one_way, 2> paths_;
  std::vector<std::byte> arriving_;
};

} // namespace gotunnel::wan
