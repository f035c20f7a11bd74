// What a program in the sandbox tries, in parts, and how many of its expectations failed.
#pragma once

#include <string>

namespace gotunnel::testing {

/// Says on stderr what was not as it should be, and with which errno.
void expect(bool holds, const std::string& what);
[[nodiscard]] int failures() noexcept;

/// What must be there before the sandbox is entered.
struct open_before {
  int terminal = -1;          ///< the slave of a pseudo terminal
  int abstract_listener = -1; ///< a Unix socket
  long landlock = 0;          ///< the kernel's version of it
};
[[nodiscard]] open_before prepare_calls();
void try_calls(const open_before& before);
void try_files(const std::string& directory);

} // namespace gotunnel::testing
