// What a failed accept() means for whoever listens, and how long to wait before the next.
//
//   accept_trouble trouble("127.0.0.1:7000");               // when the first accept() has failed
//   const accept_failure kind = trouble.note(ec);           // passing: take the next at once
//   co_await sleep_for(trouble.pause());                    // 50 ms, then twice as long each time, up to 1 s
//   if (kind == accept_failure::dead) ...                   // listen again; trouble.cannot_listen(why) if that fails
//   trouble.over();                                         // somebody was accepted
//
// An episode is logged once when it begins, once when listening again fails, and once when it is over.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"

#include <string>
#include <string_view>

namespace gotunnel::net {

enum class accept_failure {
  passing, ///< of that one connection: take the next at once
  lasting, ///< descriptors or memory have run out, or nobody knows what it is: wait
  dead,    ///< the socket listens no more: listen again
};

[[nodiscard]] accept_failure accept_failure_of(const error_code& why) noexcept;

class accept_trouble {
public:
  explicit accept_trouble(std::string where) : where_(std::move(where)) {}

  /// A failed accept(). A failure that passes, again and again, is taken for one that lasts.
  [[nodiscard]] accept_failure note(const error_code& why);
  [[nodiscard]] duration pause() noexcept;
  void cannot_listen(std::string_view why);
  void over();

private:
  std::string where_;
  int in_a_row_ = 0;
  duration pause_{};
  bool said_ = false;
  bool said_cannot_listen_ = false;
};

} // namespace gotunnel::net
