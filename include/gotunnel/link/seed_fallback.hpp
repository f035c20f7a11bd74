// Whether a client may fall back to the original protocol, in which it sends the secret itself.
//
//   auto fallback = std::make_shared<seed_fallback>(seed_fallback::wish::automatic, was_native, remember);
//   fallback->saw_native();              // the server, proved by its certificate, chose the native protocol
//   const auto allowed = fallback->judge();                                  // the server chose no ALPN
//
// A server that has been native does not become an original one by itself: whoever holds its key and chooses
// no ALPN would be given the secret. So once the server has been native in this process, nothing is allowed,
// whatever the user wishes; once it has been native in an earlier one, only an explicit wish is. Shared by
// all carriers of a client; one thread.
#pragma once

#include "gotunnel/base/error.hpp"

#include <cstdint>
#include <functional>

namespace gotunnel::link {

class seed_fallback {
public:
  enum class wish : std::uint8_t { off, automatic, on };

  /// `was_native`: in an earlier run. `remember` is called once, when the server is seen to be native and
  /// that was not known.
  explicit seed_fallback(wish wanted = wish::automatic, bool was_native = false,
                         std::function<void()> remember = {})
      : wanted_(wanted), was_native_(was_native), remember_(std::move(remember)) {}

  void saw_native();
  /// errc::seed_peer_refused: the user wants none; errc::downgraded: the server has been native.
  [[nodiscard]] result<> judge() const;
  /// judge() allows it against what is remembered of the server.
  [[nodiscard]] bool against_memory() const noexcept { return was_native_ && wanted_ == wish::on; }

private:
  wish wanted_;
  bool was_native_;
  bool is_native_ = false; ///< seen in this process
  std::function<void()> remember_;
};

} // namespace gotunnel::link
