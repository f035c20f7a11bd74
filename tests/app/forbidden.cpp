// Tries what the sandbox forbids, and what it must not: `forbidden DIRECTORY`. Ends with 0 when all is
// as it should be; else says on stderr what was not.
#include "gotunnel/app/sandbox.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <fcntl.h>
#include <netdb.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  ++failures;
}

bool opens(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  return file >= 0;
}

/// 0 when `program` could be started and ended well.
int run(const char* program) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(program, program, "nothing", nullptr);
    std::_Exit(errno == EPERM || errno == EACCES ? 77 : 78);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 79;
}

void try_all(const std::string& directory) {
  expect(opens(directory + "/own/made", O_WRONLY | O_CREAT), "a file of its own");
  expect(::rename((directory + "/own/made").c_str(), (directory + "/own/renamed").c_str()) == 0, "a rename");
  expect(::mkdir((directory + "/own/room").c_str(), 0700) == 0, "a directory of its own");
  expect(::rename((directory + "/own/renamed").c_str(), (directory + "/own/room/moved").c_str()) == 0 &&
             ::rename((directory + "/own/room/moved").c_str(), (directory + "/own/renamed").c_str()) == 0,
         "a move between its directories");
  expect(::rmdir((directory + "/own/room").c_str()) == 0, "the removal of a directory");
  expect(::truncate((directory + "/own/renamed").c_str(), 0) == 0, "a truncation");
  expect(::unlink((directory + "/own/renamed").c_str()) == 0, "a removal");
  expect(opens("/etc/hosts", O_RDONLY), "/etc/hosts");
  expect(opens("/dev/null", O_WRONLY), "/dev/null");
  addrinfo* found = nullptr;
  expect(::getaddrinfo("localhost", "80", nullptr, &found) == 0, "the address of localhost");
  ::freeaddrinfo(found);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  expect(socket >= 0, "a socket");
  ::close(socket);

  expect(opens(directory + "/beside/secret", O_RDONLY), "the secret");
  expect(::rename((directory + "/beside/secret").c_str(), (directory + "/own/secret").c_str()) != 0 &&
             !opens(directory + "/beside/secret", O_WRONLY),
         "the secret was changed");
  expect(opens(directory + "/beside/next", O_RDONLY), "what may replace the secret");
  expect(!opens(directory + "/other", O_RDONLY) && errno == EACCES, "another's file was read");
  expect(!opens(directory + "/made", O_WRONLY | O_CREAT) && errno == EACCES, "a file was made elsewhere");
  expect(::truncate((directory + "/other").c_str(), 0) != 0, "another's file was truncated");
  expect(::rename((directory + "/other").c_str(), (directory + "/own/taken").c_str()) != 0,
         "another's file was taken");
  expect(!opens("/proc/self/environ", O_RDONLY) && errno == EACCES, "/proc was read");
  expect(!opens("/etc/made-by-a-test", O_WRONLY | O_CREAT) && errno == EACCES, "a file was made in /etc");
  expect(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 && errno == EPERM, "ptrace went well");
  expect(::mount("none", "/mnt", "tmpfs", 0, nullptr) != 0 && errno == EPERM, "a mount went well");
  expect(::chroot("/") != 0 && errno == EPERM, "chroot went well");
  expect(run("/bin/true") == 77, "a program was started");
  expect(run("/proc/self/exe") == 77, "this one was started");
}

} // namespace

int main(int count, char** words) {
  if (count < 2) return 64;
  const std::string directory = words[1];
  const auto did = gotunnel::app::enter_sandbox(
      gotunnel::app::sandbox_mode::on,
      {.writable = {directory + "/own"}, .read_again = directory + "/beside/secret"});
  std::fprintf(stderr, "%s\n", did.c_str());
  try_all(directory);
  // What is started later is bound, too.
  std::thread([&] { expect(!opens(directory + "/other", O_RDONLY), "a thread was free"); }).join();
  return failures == 0 ? 0 : 1;
}
