#include "interop/go_peer.hpp"

#include <boost/test/unit_test.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

namespace gotunnel::testing {
namespace {

using namespace std::chrono_literals;

/// For what takes milliseconds on an idle machine: long enough for a busy one under a sanitizer.
constexpr auto patience = 120s;

std::string path_of(const std::string& program) {
  return std::string(GOTUNNEL_INTEROP_PEERS) + "/" + program;
}

} // namespace

std::vector<std::string> words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> all;
  for (std::string word; stream >> word;) all.push_back(word);
  return all;
}

smux_peer::smux_peer(std::string_view flags) : process_(path_of("smux_peer"), {.arguments = words(flags)}) {}

std::uint16_t smux_peer::port() {
  const auto number = process_.wait_for_number(output::out, "listening ", patience);
  BOOST_REQUIRE_MESSAGE(number.has_value(), "smux_peer does not listen: " << process_.captured(output::err));
  return static_cast<std::uint16_t>(*number);
}

int smux_peer::exit_code() {
  const auto status = process_.wait(patience);
  BOOST_REQUIRE_MESSAGE(status.has_value(), "smux_peer does not end");
  return status->code;
}

bool smux_peer::verified() {
  const int code = exit_code();
  if (code == 0) return true;
  BOOST_TEST_MESSAGE("smux_peer left with " << code << ": " << process_.captured(output::out)
                                            << process_.captured(output::err));
  return false;
}

std::string seed_peer_path() { return path_of("seed_peer"); }

} // namespace gotunnel::testing
