// Who gives its bytes when they are wanted, and not before: nobody has to keep them meanwhile, and they are
// written straight to where they belong. A socket is one; the system keeps its bytes.
#pragma once

#include "gotunnel/base/bytes.hpp"

namespace gotunnel {

class byte_source {
public:
  struct taken {
    std::size_t count = 0;
    bool last = false; ///< the end is behind these bytes
  };

  /// Moves what there is to `room`, as much as fits; never waits. Nothing, and not the last, is also the
  /// answer when there is nothing yet, or when the source has failed. No room at all only asks whether the
  /// end is next.
  [[nodiscard]] virtual taken take(bytes_span room) = 0;

protected:
  ~byte_source() = default;
};

} // namespace gotunnel
