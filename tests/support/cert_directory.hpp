// A scratch directory of certificates, at a time that the test chooses.
#pragma once

#include "gotunnel/link/cert_store.hpp"
#include "support/certificates.hpp"
#include "support/scratch_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

namespace gotunnel::testing {

struct cert_directory : scratch_directory {
  std::filesystem::path dir = path() / "certs";
  wall_time start = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};

  void open_at(wall_time now) const { static_cast<void>(link::cert_store::open(dir, now)); }

  void put(const crypto::credential& authority, const crypto::credential& leaf) const {
    std::filesystem::create_directory(dir);
    spill(dir / "ca.crt", authority.certificate);
    spill(dir / "ca.key", authority.key.reveal());
    spill(dir / "server.crt", leaf.certificate);
    spill(dir / "server.key", leaf.key.reveal());
    for (const char* key : {"ca.key", "server.key"}) {
      std::filesystem::permissions(dir / key, std::filesystem::perms(0600));
    }
  }

  /// Every file below the directory and its content; a directory counts as a name with a slash.
  [[nodiscard]] std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
      const std::string name = entry.path().lexically_relative(dir).string();
      all[entry.is_directory() ? name + "/" : name] = entry.is_regular_file() ? slurp(entry.path()) : "";
    }
    return all;
  }

  [[nodiscard]] std::string names() const {
    std::string text;
    for (const auto& [name, content] : contents()) text += (text.empty() ? "" : " ") + name;
    return text;
  }
};

/// For BOOST_CHECK_EXCEPTION: the message holds `part`; prints it when not.
inline auto says(std::string part) {
  return [part = std::move(part)](const link::cert_error& error) {
    const bool found = std::string_view(error.what()).find(part) != std::string_view::npos;
    if (!found) BOOST_TEST_MESSAGE("it says: " << error.what());
    return found;
  };
}

inline bool warned(const link::cert_store& store, std::string_view part) {
  for (const std::string& one : store.warnings()) {
    if (one.find(part) != std::string::npos) return true;
    BOOST_TEST_MESSAGE("it warns: " << one);
  }
  return false;
}

} // namespace gotunnel::testing
