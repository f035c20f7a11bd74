// Whether the next message of a conversation is worth waiting for awake.
//
//   talk.passed(bytes, now);                 // for each message, either way
//   while (talk.awaited(now)) { let others run; talk.looked_away(for how long, now); }
//
// To put a thread to sleep and wake it again takes longer than all that a tunnel does for a short message.
// When short messages follow each other in less than the time of one waking, whoever stays awake for a moment
// answers in a third of the time. A moment is all: one that passes in vain, or a long message, ends it, and
// many brisk ones must come first to begin it. It ends for a while, too, when others turn out to need the
// processor. No clock, no thread of its own.
#pragma once

#include "gotunnel/base/clock.hpp"

#include <algorithm>
#include <cstddef>

namespace gotunnel {

class brisk_talk {
public:
  static constexpr std::size_t short_message = 1024;
  static constexpr duration brisk = 150us;   ///< between two messages, when we sleep meanwhile
  static constexpr duration moment = 100us;  ///< between two messages, when we do not
  static constexpr int many = 32;            ///< brisk messages, one after the other
  static constexpr duration turn = 100us;    ///< others who take longer have work of their own to do
  static constexpr duration respite = 500ms; ///< ... and may do it for as long

  void passed(std::size_t bytes, time_point now) noexcept {
    const bool goes_on = bytes <= short_message && now - last_ <= (streak_ < many ? brisk : moment);
    streak_ = goes_on ? std::min(streak_ + 1, many) : 0;
    last_ = now;
  }
  [[nodiscard]] bool awaited(time_point now) const noexcept {
    return streak_ >= many && now - last_ <= moment && now >= respite_ends_;
  }
  void looked_away(duration took, time_point now) noexcept {
    if (took > turn) respite_ends_ = now + respite;
  }

private:
  int streak_ = 0;
  time_point last_{};
  time_point respite_ends_{};
};

} // namespace gotunnel
