// What the command line of `wan` asks for.
#pragma once

#include "link_settings.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace gotunnel::wan {

struct options {
  bool help = false;
  link_settings link;
  std::uint64_t seed = 1;
  int mtu = 1500;
  std::string control; ///< absolute path; empty: none
  std::string left;
  std::string right;
};

/// Throws usage_error.
[[nodiscard]] options parse(const std::vector<std::string>& arguments);
[[nodiscard]] std::string help();

} // namespace gotunnel::wan
