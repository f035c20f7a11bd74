// The sub-commands, each from its arguments to the program's exit code: 0 well, 1 failed, 2 wrong input
// (usage_error).
#pragma once

#include <string>
#include <vector>

namespace gotunnel::app {

using arguments = std::vector<std::string>;
struct typed_secrets;

/// What was typed is wiped as soon as keys are made of it.
int server_command(const arguments& given, typed_secrets& typed);
/// `gotunnel server status`, without these two words.
int status_command(const arguments& given);
/// `gotunnel server upgrade`, without these two words.
int upgrade_command(const arguments& given);
/// `gotunnel server reload`, without these two words.
int reload_command(const arguments& given);
int client_command(const arguments& given, typed_secrets& typed);
int pki_command(const arguments& given);

/// The whole program. `argv` is overwritten where it holds a secret.
int run(int argc, char** argv);

} // namespace gotunnel::app
