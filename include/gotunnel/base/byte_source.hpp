// Who gives its bytes when they are wanted, and not before: nobody has to keep them meanwhile, and they are
// written straight to where they belong. A socket is one; the system keeps its bytes.
//
// Neither call waits. Whoever is told of nothing, or of a failure, asks the source's owner: it knows when
// there is something, and what has failed.
#pragma once

#include "gotunnel/base/bytes.hpp"

namespace gotunnel {

class byte_source {
public:
  struct taken {
    std::size_t count = 0;
    bool last = false; ///< the end is behind these bytes
  };
  /// Moves what there is to `room`, not empty, as much as fits. No bytes, and not the last, when there is
  /// nothing, or when the source has failed.
  [[nodiscard]] virtual taken take(bytes_span room) = 0;

  enum class next { nothing, bytes, end, failure };
  /// What a take() would find.
  [[nodiscard]] virtual next look() = 0;

protected:
  ~byte_source() = default;
};

} // namespace gotunnel
