#include "e2e/process_facts.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <unistd.h>

namespace gotunnel::testing {
namespace {

std::string proc(pid_t process, const char* name) { return "/proc/" + std::to_string(process) + "/" + name; }

std::size_t status_line(pid_t process, const std::string& key) {
  std::ifstream in(proc(process, "status"));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key)) return std::stoul(line.substr(key.size()));
  return 0;
}

} // namespace

std::size_t resident_kib(pid_t process) { return status_line(process, "VmRSS:"); }

std::size_t peak_kib(pid_t process) { return status_line(process, "VmHWM:"); }

std::size_t open_descriptors(pid_t process) {
  const std::filesystem::directory_iterator all(proc(process, "fd"));
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::chrono::milliseconds processor_time(pid_t process) {
  std::ifstream in(proc(process, "stat"));
  std::string text{std::istreambuf_iterator<char>(in), {}};
  // Field 2 is the name in parentheses and may hold anything; utime and stime are fields 14 and 15.
  std::istringstream rest(text.substr(text.rfind(')') + 2));
  std::string word;
  long ticks = 0;
  for (int field = 3; field <= 15 && rest >> word; ++field)
    if (field >= 14) ticks += std::stol(word);
  return std::chrono::milliseconds(ticks * 1000 / ::sysconf(_SC_CLK_TCK));
}

} // namespace gotunnel::testing
