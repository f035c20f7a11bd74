#include "gotunnel/link/seed_fallback.hpp"

namespace gotunnel::link {

void seed_fallback::saw_native() {
  const bool known = was_native_ || is_native_;
  is_native_ = true;
  if (!known && remember_) remember_();
}

result<> seed_fallback::judge() const {
  if (wanted_ == wish::off) return errc::seed_peer_refused;
  if (is_native_ || (was_native_ && wanted_ != wish::on)) return errc::downgraded;
  return {};
}

} // namespace gotunnel::link
