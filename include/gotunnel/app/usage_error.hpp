// What the user got wrong: one sentence that names the option, the value and the remedy. Ends the program
// with exit code 2.
//
// The only exception that crosses rooms; thrown before anything is started or written.
#pragma once

#include <stdexcept>

namespace gotunnel::app {

class usage_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

} // namespace gotunnel::app
