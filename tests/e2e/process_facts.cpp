#include "e2e/process_facts.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
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

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> found;
  for (const auto& each : std::filesystem::directory_iterator("/proc")) {
    const std::string name = each.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto number = static_cast<pid_t>(std::stol(name));
    if (status_line(number, "PPid:") == static_cast<std::size_t>(process)) found.push_back(number);
  }
  return found;
}

std::size_t copies_in_memory(pid_t process, std::string_view text) {
  std::ifstream maps(proc(process, "maps"));
  std::ifstream memory(proc(process, "mem"), std::ios::binary);
  if (!maps || !memory) throw std::runtime_error("cannot look into process " + std::to_string(process));
  std::size_t copies = 0;
  for (std::string line; std::getline(maps, line);) {
    std::size_t from = 0, to = 0;
    char dash = 0;
    std::string rights;
    std::istringstream(line) >> std::hex >> from >> dash >> to >> rights;
    if (!rights.starts_with("rw")) continue;
    std::string piece(to - from, '\0');
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(from));
    memory.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    for (auto at = piece.find(text); at != std::string::npos; at = piece.find(text, at + 1)) ++copies;
  }
  return copies;
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
