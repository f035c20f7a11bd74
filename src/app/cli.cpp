#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/console.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/option_set.hpp"
#include "gotunnel/app/secret_source.hpp"
#include "gotunnel/app/surroundings.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/output.hpp"
#include "gotunnel/link/cert_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace gotunnel::app {
namespace {

int say(std::string_view text) {
  print(text);
  return 0;
}

bool asks_for_help(std::string_view word) {
  return word == "help" || word == "-h" || word == "-help" || word == "--help";
}

int help_about(const arguments& topic) {
  if (topic.empty()) return say(program_help());
  if (topic.front() == "server") return say(server_help());
  if (topic.front() == "client") return say(client_help());
  if (topic.front() == "pki") return say(pki_help());
  throw usage_error(
      fmt::format("no help about \"{}\"; there is help about server, client and pki", topic.front()));
}

int dispatch(const std::string& command, const arguments& rest, typed_secrets& typed) {
  if (command == "server") return server_command(rest, typed);
  if (command == "client") return client_command(rest, typed);
  if (command == "pki") return pki_command(rest);
  if (asks_for_help(command)) return help_about(rest);
  if (command == "version" || command == "-version" || command == "--version") {
    if (!rest.empty())
      throw usage_error(
          fmt::format("unexpected argument \"{}\"; `gotunnel version` takes none", rest.front()));
    return say("gotunnel " GOTUNNEL_VERSION "\n");
  }
  const std::string word = command.substr(std::min(command.find_first_not_of('-'), command.size()));
  const auto near = nearest(word, {"server", "client", "pki", "version", "help"});
  throw usage_error(
      fmt::format("unknown command \"{}\"; {}", command,
                  near ? fmt::format("did you mean `gotunnel {}`?", *near) : "see `gotunnel --help`"));
}

int fail(const std::exception& why, int code) {
  complain(why.what());
  return code;
}

/// What was said before an assertion failed still comes out: the writing thread goes on meanwhile.
void say_last_words(int) { output::of_process().flush_in_handler(output::farewell); }

int run_command(const arguments& words, typed_secrets& typed) try {
  if (words.empty()) {
    output::of_process().say(output::stream::err, program_help());
    return 2;
  }
  return dispatch(words.front(), {words.begin() + 1, words.end()}, typed);
} catch (const usage_error& e) {
  return fail(e, 2);
} catch (const link::cert_error& e) {
  return fail(e, 2);
} catch (const std::exception& e) {
  return fail(e, 1);
}

} // namespace

int run(int argc, char** argv) try {
  settle_surroundings();
  output& said = output::of_process();
  std::signal(SIGABRT, say_last_words);
  typed_secrets typed = take_typed_secrets(argc, argv);
  const arguments words(argv + std::min(argc, 1), argv + argc);
  const int code = run_command(words, typed);
  said.flush(output::farewell);
  return code;
} catch (const std::exception& e) {
  return fail(e, 1); // of what the process inherited
}

} // namespace gotunnel::app
