// How large the segments of the next carrier may be.
//
//   choice.lost(session.moved_on(), now); dialer.use_segments(choice.size(now));
//
// A path that loses large packets without a word (a black hole for path MTU discovery, RFC 2923) lets every
// handshake pass and no bulk: another carrier like the last would lose the same bytes again. So after two
// carriers in a row that brought the session nothing the next one has small segments, both ways, as TCP's
// own option announces them; after two more the smallest that every path carries; after two more it was
// something else, and they are as ever. What helped is kept for an hour.
#pragma once

#include "gotunnel/base/clock.hpp"

namespace gotunnel::reverse {

class segment_choice {
public:
  /// A carrier was lost; `moved_on`: it had brought its session on.
  void lost(bool moved_on, time_point now) noexcept;
  /// A handshake has passed with segments of this size, be they those of size() or smaller ones.
  void worked(int size, time_point now) noexcept;
  /// Bytes, or 0: what the path says.
  [[nodiscard]] int size(time_point now) const noexcept;

private:
  int fruitless_ = 0; ///< carriers in a row
  int step_ = 0;      ///< of size()
  time_point kept_until_{};
};

} // namespace gotunnel::reverse
