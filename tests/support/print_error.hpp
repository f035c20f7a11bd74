// Lets Boost.Test print our error codes by their message.
#pragma once

#include "gotunnel/base/error.hpp"

#include <ostream>

namespace gotunnel {

inline std::ostream& boost_test_print_type(std::ostream& to, errc error) {
  return to << make_error_code(error).message();
}

} // namespace gotunnel
