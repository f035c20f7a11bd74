// The program on a terminal: its stdin, stdout and stderr are one pseudo-terminal.
//
//   terminal_process server({"server", ...}, {{"GOTUNNEL_SECRET", "x"}}, room);
//   const std::string text = server.read_until("local-target");   // everything so far, line ends as \r\n
//
// The destructor ends the process (its own pid, nothing else).
#pragma once

#include "e2e/tunnel.hpp"

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace gotunnel::testing {

class terminal_process {
public:
  terminal_process(const words& arguments,
                   const std::vector<std::pair<std::string, std::string>>& environment,
                   const scratch_directory& room) {
    // Everything is made before the fork: other threads of the test may hold the heap's lock.
    const std::string path = program();
    std::vector<std::string> texts{path};
    texts.insert(texts.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables;
    for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
    const auto argv = pointers(texts);
    const auto envp = pointers(variables);
    const std::string directory = room.path().string();

    pid_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (pid_ < 0) throw std::runtime_error("forkpty");
    if (pid_ == 0) {
      if (::chdir(directory.c_str()) == 0) ::execve(path.c_str(), argv.data(), envp.data());
      ::_exit(127);
    }
  }
  terminal_process(const terminal_process&) = delete;
  terminal_process& operator=(const terminal_process&) = delete;
  ~terminal_process() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(terminal_);
  }

  /// Reads until the text shows up; throws when it does not.
  std::string read_until(std::string_view part) {
    const auto until = std::chrono::steady_clock::now() + patience;
    std::array<char, 4096> piece{};
    while (text_.find(part) == std::string::npos) {
      pollfd readable{terminal_, POLLIN, 0};
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      const int ready = ::poll(&readable, 1, static_cast<int>(std::max<long long>(left.count(), 0)));
      const ssize_t count = ready > 0 ? ::read(terminal_, piece.data(), piece.size()) : 0;
      // EIO: the program left, and the terminal with it.
      if (count <= 0)
        throw std::runtime_error("not on the terminal: " + std::string(part) + "; it says:\n" + text_);
      text_.append(piece.data(), static_cast<std::size_t>(count));
    }
    return text_;
  }

private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }

  int terminal_ = -1;
  pid_t pid_ = -1;
  std::string text_;
};

} // namespace gotunnel::testing
