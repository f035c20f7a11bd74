// Lets Boost.Test print an errc in a failed comparison.
#pragma once

#include "gotunnel/base/error.hpp"

#include <ostream>

namespace gotunnel {

inline std::ostream& boost_test_print_type(std::ostream& out, errc code) {
  return out << make_error_code(code).message();
}

} // namespace gotunnel
