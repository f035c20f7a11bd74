#include "gotunnel/app/name_files.hpp"

#include <system_error>

namespace gotunnel::app {
namespace {

namespace fs = std::filesystem;

constexpr int most_hops = 40; // MAXSYMLINKS of the kernel

constexpr const char* read_by_name_services[] = {"/etc/resolv.conf", "/etc/hosts",     "/etc/nsswitch.conf",
                                                 "/etc/gai.conf",    "/etc/host.conf", "/etc/services",
                                                 "/etc/protocols"};

bool is_root(const fs::path& folder) {
  std::error_code unknown;
  return fs::equivalent(folder, "/", unknown);
}

/// As it is written, with `..`: behind a link to a folder that leads elsewhere than the text says.
fs::path place_of(const fs::path& file) {
  std::error_code unknown;
  fs::path folder = file.parent_path();
  while (!fs::exists(folder, unknown) && folder.has_relative_path()) folder = folder.parent_path();
  return is_root(folder) ? file : folder;
}

} // namespace

std::vector<fs::path> places_of(const fs::path& file) {
  std::vector<fs::path> places;
  std::error_code failed;
  fs::path here = fs::absolute(file, failed);
  for (int hop = 0; hop <= most_hops && !failed; ++hop) {
    places.push_back(place_of(here));
    const fs::path target = fs::read_symlink(here, failed); // fails at the end, which is no link
    here = here.parent_path() / target;                     // an absolute target stands alone
  }
  return places;
}

std::vector<fs::path> places_of_name_services() {
  std::vector<fs::path> all;
  for (const char* file : read_by_name_services)
    for (fs::path& each : places_of(file)) all.push_back(std::move(each));
  return all;
}

} // namespace gotunnel::app
