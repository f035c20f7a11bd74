// Carries the bytes of two streams to each other until both directions have ended.
//
// The end of one direction becomes a half-close of the other stream and no more than that; a stream that
// breaks while it is read resets the other one at once; one that breaks while it is written is still read to
// its end, so that an answer sent before the break arrives. A stream that fails, or cannot be written any
// more, while the other one takes nothing (a visitor that does not read) does not wait for it: when what came
// before has not got on for `patience`, the other one is broken off, too. When both directions ended well
// both streams are closed gracefully, else abruptly.
#pragma once

#include "gotunnel/net/stream.hpp"

namespace gotunnel::net {

struct pump_totals {
  std::uint64_t a_to_b = 0;
  std::uint64_t b_to_a = 0;
  error_code failure; ///< the first failure, or none
};

/// How long a stream may take a block of at most 64 KiB when the other one has failed.
inline constexpr duration splice_patience = 10s;

/// Both streams must outlive the call, which returns only when no operation on them is left.
asio::awaitable<pump_totals> splice(stream& a, stream& b, duration patience = splice_patience);

} // namespace gotunnel::net
