// From an address to an authenticated carrier: TCP with happy eyeballs, TLS, proof of the secret, both ways.
//
//   dialer way(options); reached = co_await way.reach();        // as often as needed; one at a time
//   reached = co_await way.reach(session);                      // to go on with it, if the server still has it
//
// The mirror image of link/acceptor. ALPN decides: a server that chooses `gotunnel/1` is greeted natively,
// one that chooses nothing is an original GoTunnel and gets the secret line, unless seed peers are off.
// Errors: those of the system and of TLS, wrong_secret, not_gotunnel, seed_peer_refused, refused (version, or
// busy), timed_out; `failure()` says more.
#pragma once

#include "gotunnel/link/acceptor.hpp"
#include "gotunnel/wire/address.hpp"

namespace gotunnel::link {

/// For TCP, TLS and the greeting together, as the original has it.
inline constexpr duration dial_limit = 10s;

/// Asked before each attempt, so that a client follows when its secret is changed: that may take a moment.
/// Never null.
using key_source = std::function<asio::awaitable<shared_keys>()>;
/// For a secret that stays.
[[nodiscard]] key_source always(shared_keys keys);

struct dial_options {
  wire::host_port server;
  crypto::tls_context tls;
  key_source keys;
  wire::peer_id client{};   ///< durable
  wire::peer_id instance{}; ///< of this process
  duration limit = dial_limit;
  duration resume_window{}; ///< for how long we keep a session without a carrier; 0: not at all
};

/// The session that a new carrier is for.
struct resume_request {
  wire::peer_id session{};
  std::uint32_t generation = 1; ///< one more for each attempt
  std::uint64_t received = 0;   ///< bytes of the server that have reached it
};

/// A carrier to a server that has proved the secret (native), or accepted it (seed).
struct reached {
  net::stream_ptr carrier;
  bool native = false;
  std::uint32_t capabilities = 0;
  wire::peer_id session{};    ///< native: the server's name for it
  duration resume_window{};   ///< what both sides agreed on; 0: the session ends with its carrier
  bool resumed = false;       ///< the carrier is for the session that was asked for
  std::uint64_t received = 0; ///< resumed: bytes of ours that have reached the server
};

class dialer {
public:
  explicit dialer(dial_options options) : options_(std::move(options)) {}

  [[nodiscard]] net::task<reached> reach(std::optional<resume_request> wanted = std::nullopt);
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

private:
  [[nodiscard]] net::task<> greet_native(reached& server, const gate_key& key,
                                         const std::array<std::byte, 32>& exporter,
                                         const std::optional<resume_request>& wanted);
  [[nodiscard]] net::task<> greet_seed(reached& server, const gate_key& key);

  dial_options options_;
  std::string failure_;
};

/// What this program can do, as both hellos say it. Who keeps sessions without a carrier adds resume.
[[nodiscard]] std::uint32_t own_capabilities() noexcept;

} // namespace gotunnel::link
