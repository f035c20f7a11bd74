// The floor: the cheapest encrypted path of two hops that we can write. What a tunnel costs beyond it, it
// costs for being a tunnel.
//
//   floor exit PORT HOST:PORT CERT KEY    TLS in, plain out
//   floor entry PORT HOST:PORT            plain in, TLS out
//
// A TLS connection and two blocking threads a visitor at either end; no mux, no proof of a secret, no limits.
#include "path.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <span>
#include <string_view>
#include <thread>

namespace {

using namespace bench;

/// For ever. The process is ended by a signal, so nobody waits for its visitors' threads.
void serve(std::uint16_t port, const std::function<void(descriptor)>& visit) {
  const descriptor listener = listen_on(port);
  for (;;) {
    std::thread([&visit, visitor = accept_from(listener)]() mutable {
      try {
        visit(std::move(visitor));
      } catch (const std::exception& error) {
        std::fprintf(stderr, "floor: %s\n", error.what());
      }
    }).detach();
  }
}

int usage() {
  std::fputs("usage: floor entry PORT HOST:PORT\n       floor exit PORT HOST:PORT CERT KEY\n", stderr);
  return 2;
}

int run(std::span<char*> words) {
  if (words.size() < 4) return usage();
  const std::string_view role = words[1];
  const std::uint16_t port = parse_address(words[2]).port;
  const address target = parse_address(words[3]);

  if (role == "entry" && words.size() == 4) {
    const context_ptr context = make_entry_context();
    serve(port, [&](descriptor visitor) {
      tls_socket secret(dial(target), context.get(), false);
      carry(std::move(visitor), secret);
    });
  } else if (role == "exit" && words.size() == 6) {
    const context_ptr context = make_exit_context(words[4], words[5]);
    serve(port, [&](descriptor visitor) {
      tls_socket secret(std::move(visitor), context.get(), true);
      carry(dial(target), secret);
    });
  }
  return usage();
}

} // namespace

int main(int count, char** words) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run({words, static_cast<std::size_t>(count)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "floor: %s\n", error.what());
    return 1;
  }
}
