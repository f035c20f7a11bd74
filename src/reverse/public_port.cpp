#include "gotunnel/reverse/public_port.hpp"

#include <fmt/format.h>

namespace gotunnel::reverse {

void public_port::hand_to(const bind_question& question) {
  holders.clear();
  [[maybe_unused]] const auto nobody = holders.add({question.holder, question.service, question.carrier});
  client_address = question.client_address;
  identity = question.identity;
  since = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  since_steady = std::chrono::steady_clock::now();
}

void public_port::shut() {
  hold.reset();
  if (listener) std::exchange(listener, nullptr)->close();
}

std::string public_port::held_since() const {
  const auto held = std::chrono::steady_clock::now() - since_steady;
  return fmt::format("{} ({} s ago)", describe(since),
                     std::chrono::duration_cast<std::chrono::seconds>(held).count());
}

} // namespace gotunnel::reverse
