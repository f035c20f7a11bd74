// From an address to an authenticated carrier: TCP and TLS raced over the addresses of the server
// (link/address_race), then the proof of the secret, both ways, on the winner alone.
//
//   dialer way(options); reached = co_await way.reach();        // as often as needed; one at a time
//   reached = co_await way.reach(next_request);                 // to go on with a session, if the server has it
//   way.hurry();                                                // meanwhile: the way to the server has changed
//
// A winner whose greeting fails is followed by the addresses that are left.
// The mirror image of link/acceptor. ALPN decides: a server that chooses `gotunnel/1` is greeted natively,
// one that chooses nothing is an original GoTunnel and gets the secret line, if link/seed_fallback allows it:
// never a server that has been native, so never one that is to go on with a session.
// Errors: those of the system and of TLS, wrong_secret, not_gotunnel, seed_peer_refused, downgraded, refused
// (another version), too_many_sessions, timed_out; `failure()` says more.
#pragma once

#include "gotunnel/link/acceptor.hpp"
#include "gotunnel/link/address_race.hpp"
#include "gotunnel/link/seed_fallback.hpp"
#include "gotunnel/net/deadline.hpp"
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
  std::shared_ptr<seed_fallback> fallback = std::make_shared<seed_fallback>(); ///< never null
};

/// The session that a new carrier is for.
struct resume_request {
  wire::peer_id session{};
  std::uint32_t generation = 1; ///< one more for each attempt
  std::uint64_t received = 0;   ///< bytes of the server that have reached it
};

/// Asked for each greeting: a request is good for one. Empty: a new session is wanted.
using request_source = std::function<resume_request()>;

/// A carrier to a server that has proved the secret (native), or accepted it (seed).
struct reached {
  net::stream_ptr carrier;
  bool native = false;
  std::uint32_t capabilities = 0;
  wire::peer_id session{};    ///< native: the server's name for it
  duration resume_window{};   ///< what both sides agreed on; 0: the session ends with its carrier
  bool resumed = false;       ///< the carrier is for the session that was asked for
  std::uint64_t received = 0; ///< resumed: bytes of ours that have reached the server
  int max_segment = 0;        ///< of its connection; 0: what the path says
  bool same_machine = false;  ///< the server runs on this machine, as far as addresses tell
};

class dialer {
public:
  explicit dialer(dial_options options) : options_(std::move(options)) {}

  [[nodiscard]] net::task<reached> reach(request_source wanted = {});
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }
  /// What is under way goes on, and is tried anew beside that; false when nothing is under way. A greeting
  /// that is not answered soon makes room for what is new.
  bool hurry();
  /// Bytes of a TCP segment, from the next reach() on; 0: what the path says.
  void use_segments(int most) noexcept { max_segment_ = most; }

private:
  /// One reach().
  struct dial {
    dial(const net::executor& executor, const dialer& of, shared_keys known, net::endpoints addresses,
         request_source request, time_point end);

    net::executor where;
    shared_keys keys;
    request_source wanted;
    time_point until;
    address_race race;
    net::tls_stream* greeting = nullptr; ///< the winner, while it is greeted
    std::optional<net::deadline> patience;
    bool gave_up = false; ///< `patience` is over
  };

  [[nodiscard]] net::task<reached> reach_any(dial& under_way);
  [[nodiscard]] net::task<reached> greet(dial& under_way, address_race::winner winner);
  [[nodiscard]] result<> judge_protocol(bool native, bool resuming);
  [[nodiscard]] net::task<> greet_native(reached& server, const gate_key& key,
                                         const std::array<std::byte, 32>& exporter,
                                         const std::optional<resume_request>& wanted);
  [[nodiscard]] net::task<> greet_seed(reached& server, const gate_key& key);

  dial_options options_;
  std::string failure_;
  int max_segment_ = 0;
  bool reaching_ = false;
  dial* under_way_ = nullptr; ///< once the addresses are known
};

/// What this program can do, as both hellos say it. Who keeps sessions without a carrier adds resume.
[[nodiscard]] std::uint32_t own_capabilities() noexcept;

} // namespace gotunnel::link
