#include "control.hpp"
#include "link_run.hpp"
#include "side.hpp"

#include <cstdio>

namespace {

int run(const std::vector<std::string>& words) {
  using namespace gotunnel::wan;
  if (!words.empty() && words[0] == "tell") return tell({words.begin() + 1, words.end()});
  const options wanted = parse(words);
  if (!wanted.help) return run_link(wanted);
  std::fputs(help().c_str(), stdout);
  return 0;
}

int fail(const std::exception& why, int code) {
  std::fprintf(stderr, "wan: %s\n", why.what());
  return code;
}

} // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + (argc > 0 ? 1 : 0), argv + argc});
  } catch (const gotunnel::wan::usage_error& e) {
    return fail(e, 2);
  } catch (const gotunnel::wan::not_permitted& e) {
    return fail(e, 77); // what ctest and automake take for "skipped"
  } catch (const std::exception& e) {
    return fail(e, 1);
  }
}
