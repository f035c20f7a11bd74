// A peer of the server that can misbehave: TLS by hand, the native greeting, raw smux frames, control lines.
//
//   native_peer evil(server);                      // TLS, ALPN gotunnel/1, hello, the server's proof checked
//   evil.open(control);  evil.say(R"({"type":"bind","id":1,"port":0})");
//   const auto answer = evil.hear_line(5s);        // the next line of the control stream
//   evil.send(frame(syn, 5));                      // anything at all
//   BOOST_TEST(evil.ended_within(5s));
//
// Blocking; every wait has a limit. Connecting and greeting throw std::runtime_error; later a lost session
// shows as `false` or nothing. One thread.
#pragma once

#include "e2e/tunnel.hpp"

#include "gotunnel/crypto/tls_engine.hpp"
#include "gotunnel/wire/psk_auth.hpp"
#include "gotunnel/wire/smux_frame.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace gotunnel::testing {

/// A TLS connection over a loopback socket.
class tls_peer {
public:
  using milliseconds = std::chrono::milliseconds;
  enum class greeting { native, original, original_tls12 };

  /// TCP and TLS to a gotunnel server; `original` offers no ALPN.
  tls_peer(std::uint16_t port, const std::string& ca_file, greeting kind);

  /// False when the connection is gone.
  bool send(std::string_view plain);
  /// What has come, at least a byte; empty when nothing came in time or the connection ended.
  [[nodiscard]] std::string receive(milliseconds limit);
  /// True when the other side ends or breaks the connection in time; what it says meanwhile is dropped.
  [[nodiscard]] bool ended_within(milliseconds limit);
  [[nodiscard]] bool ended() const noexcept { return ended_; }

  [[nodiscard]] const crypto::tls_engine& engine() const noexcept { return engine_; }
  /// A KeyUpdate goes ahead of what is sent next.
  void change_key() noexcept { engine_.rekey(); }
  /// Our own end, as the server's log names it.
  [[nodiscard]] std::string address() const;
  /// Ends the TCP connection: FIN without close_notify, or a reset.
  void drop(bool reset);

private:
  bool flush();
  bool fetch(milliseconds limit);

  loopback_socket socket_;
  crypto::tls_engine engine_;
  std::string cipher_; ///< lent to the engine
  bool ended_ = false;
};

struct native_identity {
  wire::peer_id client;
  wire::peer_id instance;
  std::string secret = test_secret;
  /// Fresh random ids.
  native_identity();
};

/// The first half of the greeting: our hello, with its proof.
[[nodiscard]] std::string make_hello(const tls_peer& peer, const native_identity& who);

class native_peer {
public:
  using milliseconds = std::chrono::milliseconds;
  static constexpr wire::stream_id control = 3; ///< the first stream of a client

  explicit native_peer(const server_process& server, const native_identity& who = {});

  bool send(std::string_view bytes) { return tls_.send(bytes); }
  /// Opens the control stream.
  bool open();
  /// One line on the control stream; the line's end is added.
  bool say(std::string_view line);
  /// The next line of the control stream, pings of the server left out (and answered, when `answer_pings`).
  [[nodiscard]] std::optional<std::string> hear_line(milliseconds limit);
  /// Asks for a port (0: any); the answer's line, or nothing.
  [[nodiscard]] std::optional<std::string> bind(std::uint64_t id, std::uint16_t port);
  [[nodiscard]] bool ended_within(milliseconds limit) { return tls_.ended_within(limit); }
  [[nodiscard]] std::string address() const { return tls_.address(); }
  [[nodiscard]] tls_peer& tls() noexcept { return tls_; }

  struct heard_frame {
    wire::smux_header header;
    std::string payload;
  };
  [[nodiscard]] std::optional<heard_frame> next_frame(milliseconds limit);

  bool answer_pings = true;

private:
  tls_peer tls_;
  std::string unread_; ///< bytes of frames
  std::string line_;   ///< bytes of the control stream
};

/// The bytes of one frame of smux version 2.
[[nodiscard]] std::string frame(wire::smux_command command, wire::stream_id id,
                                std::string_view payload = {});
/// Header bytes as they are, however wrong.
[[nodiscard]] std::string raw_header(std::uint8_t version, std::uint8_t command, std::uint16_t length,
                                     std::uint32_t id);

/// The number behind "port": in an answer, or 0.
[[nodiscard]] std::uint16_t bound_port(const std::string& answer);

} // namespace gotunnel::testing
