// Two sessions with a carrier in memory between them.
#pragma once

#include "gotunnel/mux/session.hpp"

#include "support/memory_stream.hpp"
#include "support/print_error.hpp"
#include "support/run.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gotunnel::testing {

inline wire::smux_config mux_config(wire::smux_role role, bool resets = true) {
  wire::smux_config config;
  config.role = role;
  config.resets = resets;
  return config;
}

struct mux_bench {
  explicit mux_bench(const net::executor& where, bool resets = true)
      : mux_bench(where, mux_config(wire::smux_role::client, resets),
                  mux_config(wire::smux_role::server, resets)) {}
  mux_bench(const net::executor& where, const wire::smux_config& for_client,
            const wire::smux_config& for_server, duration window = duration::zero())
      : pair(make_memory_pair(where)),
        client(std::make_shared<mux::session>(where, std::move(pair.a), for_client, window)),
        server(std::make_shared<mux::session>(where, std::move(pair.b), for_server, window)),
        tasks(where, "test"), sessions(where, "test") {}

  void start() {
    sessions.spawn("client", run(client, client_end));
    sessions.spawn("server", run(server, server_end));
  }
  static asio::awaitable<void> run(mux::session_ptr which, std::optional<error_code>& end) {
    const error_code why = co_await which->run();
    end = why;
  }
  /// A stream from the client to the server.
  asio::awaitable<void> connect() {
    auto opened = client->open();
    BOOST_TEST_REQUIRE(opened.has_value());
    near = std::move(*opened);
    auto accepted = co_await server->accept();
    BOOST_TEST_REQUIRE(accepted.has_value());
    far = std::move(*accepted);
  }
  asio::awaitable<void> finish() {
    client->close(errc::closed);
    co_await sessions.join();
    co_await tasks.join();
  }

  memory_pair pair;
  mux::session_ptr client, server;
  std::optional<error_code> client_end, server_end;
  mux::mux_stream_ptr near, far;
  net::task_group tasks;    ///< of the test
  net::task_group sessions; ///< the two run()s
};

inline asio::awaitable<void> write_to(net::stream& to, std::string text, error_code& outcome) {
  const auto sent = co_await to.write(as_bytes(text));
  outcome = sent ? error_code() : sent.error();
}

/// All text up to the end of the stream, and the error behind it, if one is.
inline asio::awaitable<std::string> read_all(net::stream& from) {
  std::string text;
  for (;;) {
    const auto bytes = co_await from.read();
    if (!bytes) co_return text + "<" + bytes.error().message() + ">";
    if (bytes->empty()) co_return text;
    text += as_text(*bytes);
    from.consume(bytes->size());
  }
}

/// Exactly as many bytes.
inline asio::awaitable<std::string> read_some(net::stream& from, std::size_t size) {
  std::string text;
  while (text.size() < size) {
    const auto bytes = co_await from.read();
    if (!bytes || bytes->empty()) break;
    const std::size_t count = std::min(bytes->size(), size - text.size());
    text += as_text(bytes->first(count));
    from.consume(count);
  }
  co_return text;
}

} // namespace gotunnel::testing
