// What a refusal looks like: exit code 2, nothing on stdout, one line on stderr, nothing changed on disk.
#pragma once

#include "e2e/tunnel.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <map>
#include <sstream>

namespace gotunnel::testing {

/// Everything below a directory: its kind, mode and content, by name.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    std::ostringstream text;
    text << static_cast<int>(entry.symlink_status().type()) << ' ' << std::oct
         << static_cast<unsigned>(entry.symlink_status().permissions());
    if (entry.is_regular_file()) text << ' ' << slurp(entry.path());
    all[entry.path().lexically_relative(directory).string()] = text.str();
  }
  return all;
}

inline std::string joined(const words& all) {
  std::string text;
  for (const std::string& word : all) text += (text.empty() ? "" : " ") + word;
  return text;
}

struct refusal_case {
  words arguments;
  std::string line; ///< all of stderr, without "gotunnel: " and the line end
  std::vector<std::pair<std::string, std::string>> environment{};
};

/// Runs the program in the room, with the paths of the arguments relative to it.
inline void check_refusal(const scratch_directory& room, const refusal_case& one) {
  BOOST_TEST_CONTEXT("gotunnel " << joined(one.arguments)) {
    const auto before = snapshot(room.path());
    const run_outcome outcome = run_program(child_options{
        .arguments = one.arguments, .environment = one.environment, .directory = room.path().string()});
    BOOST_TEST(outcome.code == 2);
    BOOST_TEST(outcome.out == "");
    BOOST_TEST(outcome.err == "gotunnel: " + one.line + "\n");
    BOOST_TEST((snapshot(room.path()) == before), "the refused start changed files");
  }
}

} // namespace gotunnel::testing
