// The load tools of the bench, one program with sub-commands; see load.hpp and usage() below.
#include "load.hpp"
#include "sockets.hpp"

#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>

namespace {

int usage() {
  std::fputs("usage: load serve PORT\n"
             "       load ping_pong PORT SECONDS [MILLISECONDS_BETWEEN]\n"
             "       load idle_visitors PORT COUNT\n"
             "       load flood up|down SECONDS SERVICE_PORT STREAMS PORT..\n",
             stderr);
  return 2;
}

std::uint16_t port_of(const char* text) { return bench::parse_address(text).port; }

std::chrono::duration<double> span_of(const char* text) {
  return std::chrono::duration<double>(std::stod(text));
}

int run(std::span<char*> words) {
  if (words.size() < 3) return usage();
  const std::string_view command = words[1];
  if (command == "serve" && words.size() == 3) return bench::serve(port_of(words[2]));
  if (command == "ping_pong" && (words.size() == 4 || words.size() == 5)) {
    const std::chrono::milliseconds pace(words.size() == 5 ? std::stol(words[4]) : 0);
    return bench::ping_pong(port_of(words[2]), span_of(words[3]), pace);
  }
  if (command == "idle_visitors" && words.size() == 4) {
    return bench::hold_idle_visitors(port_of(words[2]), std::stoul(words[3]));
  }
  if (command == "flood" && words.size() >= 7) {
    bench::flood_plan plan{.upload = std::string_view(words[2]) == "up",
                           .length = span_of(words[3]),
                           .service = port_of(words[4]),
                           .streams = std::stoul(words[5]),
                           .ports = {}};
    for (const char* port : words.subspan(6)) plan.ports.push_back(port_of(port));
    return bench::flood(plan);
  }
  return usage();
}

} // namespace

int main(int count, char** words) {
  try {
    return run({words, static_cast<std::size_t>(count)});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 1;
  }
}
