// Tries what the sandbox forbids, and what it must not: `forbidden DIRECTORY`. Ends with 0 when all is
// as it should be; else says on stderr what was not.
#include "app/forbidden.hpp"

#include "gotunnel/app/sandbox.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>

namespace gotunnel::testing {
namespace {

int failed = 0;

} // namespace

void expect(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  ++failed;
}

int failures() noexcept { return failed; }

} // namespace gotunnel::testing

int main(int count, char** words) {
  using namespace gotunnel;
  if (count < 2) return 64;
  const std::string directory = words[1];
  const auto before = testing::prepare_calls();
  const auto did = app::enter_sandbox(
      app::sandbox_mode::on, {.writable = {directory + "/own"}, .read_again = directory + "/beside/secret"});
  std::fprintf(stderr, "%s\n", did.c_str());
  testing::try_files(directory);
  testing::try_calls(before);
  // What is started later is bound, too.
  std::thread([&] { testing::try_files(directory); }).join();
  return testing::failures() == 0 ? 0 : 1;
}
