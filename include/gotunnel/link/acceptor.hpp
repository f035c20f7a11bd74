// From a stranger's socket to an authenticated carrier: TLS handshake, ALPN, proof of the secret.
//
//   acceptor gate(keys, judge);  gate.offer_resume(60s, desk);
//   admitted = co_await gate.admit(std::move(socket), context);
//
// ALPN `gotunnel/1` leads to the native greeting (wire/psk_auth), no ALPN to the original's secret line
// (wire/seed_greeting). A stranger has `admission_limit` and `admission_bytes` for all of it and costs its
// TLS state and small buffers. When its proof is looked at, and whether at all, is for `judge` to say. All
// keys are tried, whichever is right: how long that takes does not tell which. A refusal is sent at once, and
// nothing of the stranger is left. Every failure closes the socket. A client that wants to go on with a
// session is answered as `desk` says; its carrier then belongs to that session, and not to a new one. On the
// worker of the caller, which keeps the acceptor alive.
#pragma once

#include "gotunnel/crypto/tls_context.hpp"
#include "gotunnel/link/gate_keys.hpp"
#include "gotunnel/net/stream.hpp"
#include "gotunnel/wire/psk_auth.hpp"

#include <algorithm>
#include <functional>
#include <optional>

namespace gotunnel::link {

namespace asio = boost::asio;

inline constexpr duration admission_limit = 10s;
/// Cipher text that is read of somebody who has not proved the secret: a handshake and a greeting are 2 KiB.
inline constexpr std::size_t admission_bytes = 64 * 1024;

/// A carrier whose peer has proved the secret.
struct admitted {
  net::stream_ptr carrier;
  bool native = false;
  wire::client_hello hello;       ///< native: who the client is
  std::uint32_t capabilities = 0; ///< native: what both sides can do
  wire::peer_id session{};        ///< native: the server's name for it
  duration resume_window{};       ///< for how long both keep a session without a carrier; 0: not at all
  /// Takes the carrier of a session that goes on; none when the session is new.
  std::function<void(net::stream_ptr)> go_on;
};

class acceptor {
public:
  /// A session that goes on, whose former carrier is out of use by now.
  struct resumption {
    std::uint64_t received = 0; ///< bytes of the client that have reached it
    std::function<void(net::stream_ptr)> go_on;
  };
  /// Whether the session that this client asks for goes on.
  using resume_desk = std::function<asio::awaitable<std::optional<resumption>>(const wire::client_hello&)>;

  /// Looks at a proof, on any thread, while its stranger waits: whether it is right.
  using look_function = std::function<bool()>;
  /// Calls `look` when it is the turn of this stranger, who may claim to be a client, and returns its answer;
  /// or an error, without a call, when the stranger is not to be heard.
  using judge_function =
      std::function<net::task<bool>(const std::optional<wire::peer_id>& claimed, const look_function& look)>;

  acceptor(shared_keys keys, judge_function judge, duration limit = admission_limit)
      : keys_(std::move(keys)), judge_(std::move(judge)), limit_(limit) {}

  /// Lets clients come back to a session for as long as both sides want, if longer than 0.
  void offer_resume(duration window, resume_desk desk) {
    window_ = window;
    desk_ = std::move(desk);
  }
  /// Whether this client may have one session more, of this name.
  using seat_function =
      std::function<asio::awaitable<bool>(const wire::peer_id& client, const wire::peer_id& session)>;
  /// Asked before a native client is given a new session.
  void limit_sessions(seat_function seat) { seat_ = std::move(seat); }
  /// `failure()` says more about an error.
  [[nodiscard]] net::task<admitted> admit(net::stream_ptr socket, const crypto::tls_context& context);
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

private:
  [[nodiscard]] asio::awaitable<wire::server_hello> welcome(admitted& peer);
  [[nodiscard]] net::task<> greet_native(admitted& peer, const std::array<std::byte, 32>& exporter);
  [[nodiscard]] net::task<> refuse(net::stream& peer, bytes_view answer, error_code why);
  [[nodiscard]] net::task<> greet_seed(admitted& peer);

  shared_keys keys_;
  judge_function judge_;
  duration limit_;
  duration window_{};
  resume_desk desk_;
  seat_function seat_;
  std::string failure_;
};

/// The smaller of two windows, of which one came off the network in milliseconds.
[[nodiscard]] inline duration smaller_window(duration ours, std::uint32_t theirs) noexcept {
  return std::min<duration>(ours, std::chrono::milliseconds(theirs));
}
/// As a hello says it.
[[nodiscard]] inline std::uint32_t window_ms(duration window) noexcept {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(window).count());
}

} // namespace gotunnel::link
