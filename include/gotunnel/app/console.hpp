// What a command prints. Nothing else in app/ writes to standard output or standard error, but for the log.
//
//   print(describe_status(answer));     // standard output; waits for the reader, as commands do
//   print_json(answer);                 // one JSON text and a line end
//   announce("ready: ...\n");           // standard output of a program that serves: never waits (base/output)
//   complain(e.what());                 // standard error: one line, `gotunnel: ...`
//
// print() and announce() take text of our own; parts of it that may come from a peer have been through
// printable(). print_json() and complain() take anything.
#pragma once

#include <string_view>

namespace gotunnel::app {

void print(std::string_view text);
void print_json(std::string_view json);
void announce(std::string_view text);
void complain(std::string_view why);

} // namespace gotunnel::app
