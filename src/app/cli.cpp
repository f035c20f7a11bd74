#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/option_set.hpp"
#include "gotunnel/app/secret_source.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/link/cert_store.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>

namespace gotunnel::app {
namespace {

int dispatch(const std::string& command, const arguments& rest) {
  if (command == "server") return server_command(rest);
  if (command == "client") return client_command(rest);
  if (command == "pki") return pki_command(rest);
  if (command == "version" || command == "-version" || command == "--version") {
    std::puts("gotunnel " GOTUNNEL_VERSION);
    return 0;
  }
  if (command == "help" || command == "-h" || command == "-help" || command == "--help") {
    std::fputs(program_help().c_str(), stdout);
    return 0;
  }
  const auto near = nearest(command, {"server", "client", "pki", "version", "help"});
  throw usage_error(fmt::format("unknown command \"{}\"{}; see `gotunnel --help`", command,
                                near ? fmt::format(": did you mean `gotunnel {}`?", *near) : ""));
}

} // namespace

int run(int argc, char** argv) {
  // A peer that is gone shows as an error of the write, not as the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const arguments words(argv + std::min(argc, 1), argv + argc);
  hide_secret_argument(argc, argv);
  if (words.empty()) {
    std::fputs(program_help().c_str(), stderr);
    return 2;
  }
  try {
    return dispatch(words.front(), {words.begin() + 1, words.end()});
  } catch (const usage_error& e) {
    std::fprintf(stderr, "gotunnel: %s\n", e.what());
    return 2;
  } catch (const link::cert_error& e) {
    std::fprintf(stderr, "gotunnel: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gotunnel: %s\n", e.what());
    return 1;
  }
}

} // namespace gotunnel::app
