// Files, names and programs.
#include "app/forbidden.hpp"

#include <cerrno>

#include <fcntl.h>
#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gotunnel::testing {
namespace {

bool opens(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  return file >= 0;
}

/// A program that starts ends this one, and says by its exit code that it did.
bool cannot_start(const char* program) {
  ::execl(program, program, "nothing", nullptr);
  return errno == EPERM || errno == EACCES;
}

void try_own(const std::string& own) {
  expect(opens(own + "/made", O_WRONLY | O_CREAT), "a file of its own");
  expect(::rename((own + "/made").c_str(), (own + "/renamed").c_str()) == 0, "a rename");
  expect(::mkdir((own + "/room").c_str(), 0700) == 0, "a directory of its own");
  expect(::rename((own + "/renamed").c_str(), (own + "/room/moved").c_str()) == 0 &&
             ::rename((own + "/room/moved").c_str(), (own + "/renamed").c_str()) == 0,
         "a move between its directories");
  expect(::rmdir((own + "/room").c_str()) == 0, "the removal of a directory");
  expect(::truncate((own + "/renamed").c_str(), 0) == 0, "a truncation");
  expect(::symlink("/etc/passwd", (own + "/link").c_str()) != 0, "a symbolic link was made");
  expect(::link((own + "/renamed").c_str(), (own + "/link").c_str()) != 0, "a hard link was made");
  expect(::mkfifo((own + "/pipe").c_str(), 0600) != 0, "a pipe was made");
  expect(::unlink((own + "/renamed").c_str()) == 0, "a removal");
}

void try_secret(const std::string& directory) {
  expect(opens(directory + "/beside/secret", O_RDONLY), "the secret");
  expect(::rename((directory + "/beside/secret").c_str(), (directory + "/own/secret").c_str()) != 0 &&
             !opens(directory + "/beside/secret", O_WRONLY),
         "the secret was changed");
  expect(opens(directory + "/beside/next", O_RDONLY), "what may replace the secret");
}

void try_others(const std::string& directory) {
  expect(!opens(directory + "/other", O_RDONLY) && errno == EACCES, "another's file was read");
  expect(!opens(directory + "/made", O_WRONLY | O_CREAT) && errno == EACCES, "a file was made elsewhere");
  expect(::truncate((directory + "/other").c_str(), 0) != 0, "another's file was truncated");
  expect(::rename((directory + "/other").c_str(), (directory + "/own/taken").c_str()) != 0,
         "another's file was taken");
  expect(!opens("/proc/self/environ", O_RDONLY) && errno == EACCES, "/proc was read");
  expect(!opens("/etc/made-by-a-test", O_WRONLY | O_CREAT) && errno == EACCES, "a file was made in /etc");
}

} // namespace

void try_files(const std::string& directory) {
  try_own(directory + "/own");
  try_secret(directory);
  try_others(directory);
  expect(opens("/etc/hosts", O_RDONLY), "/etc/hosts");
  expect(opens("/dev/null", O_WRONLY), "/dev/null");
  addrinfo* found = nullptr;
  expect(::getaddrinfo("localhost", "80", nullptr, &found) == 0, "the address of localhost");
  if (found != nullptr) ::freeaddrinfo(found);
  expect(cannot_start("/bin/false"), "a program was started");
  expect(cannot_start("/proc/self/exe"), "this one was started");
}

} // namespace gotunnel::testing
