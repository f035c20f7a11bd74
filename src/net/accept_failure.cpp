#include "gotunnel/net/accept_failure.hpp"

#include "gotunnel/base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace gotunnel::net {
namespace {

// More connections in a row do not break while they are queued.
constexpr int passing_at_most = 16;
constexpr duration least_pause = 50ms;
constexpr duration longest_pause = 1s;

} // namespace

accept_failure accept_failure_of(const error_code& why) noexcept {
  switch (why.value()) {
  // accept(2): errors of the new connection that Linux passes on.
  case ECONNABORTED:
  case ECONNRESET:
  case ETIMEDOUT:
  case EPROTO:
  case ENOPROTOOPT:
  case EOPNOTSUPP:
  case ENETDOWN:
  case ENETUNREACH:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ENONET:
  case EPERM: // a firewall's rule
  case EINTR:
  case EAGAIN: return accept_failure::passing;
  // Somebody has ended the listening (shutdown(2), `ss -K`), or closed the descriptor.
  case EINVAL:
  case EBADF:
  case ENOTSOCK: return accept_failure::dead;
  default: return accept_failure::lasting;
  }
}

accept_failure accept_trouble::note(const error_code& why) {
  auto kind = accept_failure_of(why);
  ++in_a_row_;
  if (kind == accept_failure::passing && in_a_row_ < passing_at_most) return kind;
  if (kind == accept_failure::passing) kind = accept_failure::lasting;
  if (std::exchange(said_, true)) return kind;
  if (kind == accept_failure::dead)
    log::error("net", "nobody listens on {} any more: {}; listening again", where_, why.message());
  else
    log::error("net", "cannot accept on {}: {}; trying again", where_, why.message());
  return kind;
}

duration accept_trouble::pause() noexcept {
  pause_ = std::clamp<duration>(pause_ * 2, least_pause, longest_pause);
  return pause_;
}

void accept_trouble::cannot_listen(std::string_view why) {
  if (!std::exchange(said_cannot_listen_, true))
    log::error("net", "cannot listen on {} again: {}; trying on", where_, why);
}

void accept_trouble::over() {
  if (std::exchange(said_, false)) log::info("net", "{} accepts again", where_);
  said_cannot_listen_ = false;
  in_a_row_ = 0;
  pause_ = {};
}

} // namespace gotunnel::net
