// Two TLS machines with a wire in memory between them, fed in pieces of a chosen size.
#pragma once

#include "gotunnel/crypto/tls_engine.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace gotunnel::testing {

using byte_vector = std::vector<std::byte>;

inline void take_all(crypto::tls_engine& from, byte_vector& wire) {
  const std::size_t old = wire.size();
  wire.resize(old + from.pending_output());
  wire.resize(old + from.take_output(bytes_span(wire).subspan(old)));
}

/// Client and server, what is under way to each, and how the handshake of each ended.
struct engine_pair {
  crypto::tls_engine client;
  crypto::tls_engine server;
  std::size_t piece = SIZE_MAX; ///< bytes fed at once
  byte_vector to_server{}, to_client{};
  error_code client_error{}, server_error{};
  bool client_done = false, server_done = false;

  void step(crypto::tls_engine& engine, byte_vector& in, byte_vector& out, bool& done,
            error_code& error) const {
    if (in.empty() || done || error) return;
    const auto end = in.begin() + static_cast<std::ptrdiff_t>(std::min(piece, in.size()));
    engine.feed(bytes_view(in.data(), static_cast<std::size_t>(end - in.begin())));
    advance(engine, out, done, error);
    in.erase(in.begin(), end); // all of it is consumed: nobody writes before both are done
  }

  static void advance(crypto::tls_engine& engine, byte_vector& out, bool& done, error_code& error) {
    const auto progress = engine.handshake();
    take_all(engine, out);
    if (!progress) {
      error = progress.error();
    } else {
      done = *progress == crypto::tls_engine::progress::done;
    }
  }

  /// Runs both until neither has anything to say. True when both are done.
  bool handshake() {
    advance(client, to_server, client_done, client_error);
    while (!(to_server.empty() || server_done || server_error) ||
           !(to_client.empty() || client_done || client_error)) {
      step(server, to_server, to_client, server_done, server_error);
      step(client, to_client, to_server, client_done, client_error);
    }
    return client_done && server_done;
  }
};

/// What write() needs for `plain` bytes right now.
inline std::size_t sealed_room(const crypto::tls_engine& engine, std::size_t plain) {
  return engine.pending_output() + crypto::tls_engine::sealed_size(plain);
}

/// Seals `plain`, `chunk` bytes at a time.
inline result<byte_vector> seal(crypto::tls_engine& engine, bytes_view plain,
                                std::size_t chunk = 128 * 1024) {
  byte_vector wire;
  while (!plain.empty()) {
    const bytes_view part = plain.first(std::min(chunk, plain.size()));
    byte_vector out(sealed_room(engine, part.size()));
    std::size_t filled = 0;
    if (const auto sealed = engine.write(part, out, filled); !sealed) return sealed.error();
    wire.insert(wire.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(filled));
    plain = plain.subspan(part.size());
  }
  return wire;
}

/// Feeds `cipher` whole and reads all that it yields, `room` bytes at a time.
inline result<byte_vector> open(crypto::tls_engine& engine, bytes_view cipher, std::size_t room = 64 * 1024) {
  byte_vector plain;
  byte_vector to(room);
  engine.feed(cipher);
  while (engine.pending_input() > 0) {
    const auto got = engine.read(to);
    if (!got) return got.error();
    plain.insert(plain.end(), to.begin(), to.begin() + static_cast<std::ptrdiff_t>(*got));
  }
  return plain;
}

} // namespace gotunnel::testing
