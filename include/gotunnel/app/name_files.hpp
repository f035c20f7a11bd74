// Where a file lies that is found by its name again and again: resolv.conf, hosts, a secret that is rotated.
//
//   for (const auto& place : places_of(file)) allow_reading_below(place);
//
// Its name may be a symbolic link, and that may lead to another: each hop's folder is a place, for any of
// them may be replaced. A link may lead to what is not there yet: the nearest folder that exists is the place
// then. The root is none; instead of it there is the file itself. May name a place twice. Reads links only.
#pragma once

#include <filesystem>
#include <vector>

namespace gotunnel::app {

[[nodiscard]] std::vector<std::filesystem::path> places_of(const std::filesystem::path& file);

/// Places of what the C library reads when it resolves a name (resolver(5), nsswitch.conf(5), gai.conf(5)).
[[nodiscard]] std::vector<std::filesystem::path> places_of_name_services();

} // namespace gotunnel::app
