#include "gotunnel/net/file.hpp"

#include "gotunnel/net/last_error.hpp"

#include <cerrno>
#include <cstdio>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gotunnel::net {
namespace {

error_code system_error(int number) noexcept { return {number, boost::system::system_category()}; }

result<> write_all(int file, bytes_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(file, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return last_error();
    }
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

result<> fill(int file, bytes_view content, mode_t mode) {
  // The mode comes before the content: nobody may open the file in between and read on.
  if (::fchmod(file, mode) != 0) return last_error();
  if (const result<> written = write_all(file, content); !written) return written;
  if (::fsync(file) != 0) return last_error();
  return {};
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

} // namespace

result<file_content> read_file(const std::filesystem::path& path, std::size_t limit) {
  // O_NONBLOCK: opening a pipe without a writer would wait for one.
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!file) return last_error();
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return last_error();
  if (S_ISDIR(status.st_mode)) return system_error(EISDIR);
  if (!S_ISREG(status.st_mode)) return system_error(EINVAL);

  // The size in the status may change while we read; what counts is what arrives. One more byte than allowed
  // tells.
  file_content content;
  content.mode = status.st_mode & 07777;
  content.bytes.resize(limit + 1);
  std::size_t size = 0;
  while (size < content.bytes.size()) {
    const ssize_t n = ::read(file.get(), content.bytes.data() + size, content.bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > limit) return system_error(EFBIG);
  content.bytes.resize(size);
  return content;
}

result<> create_file(const std::filesystem::path& path, bytes_view content, mode_t mode) {
  const descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file) return last_error();
  const result<> filled = fill(file.get(), content, mode);
  if (!filled) ::unlink(path.c_str());
  return filled;
}

result<> replace_file(const std::filesystem::path& path, bytes_view content, mode_t mode) {
  std::string temporary = path.string() + ".XXXXXX";
  {
    const descriptor file{::mkostemp(temporary.data(), O_CLOEXEC)};
    if (!file) return last_error();
    if (const result<> filled = fill(file.get(), content, mode); !filled) {
      ::unlink(temporary.c_str());
      return filled;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const error_code failed = last_error();
    ::unlink(temporary.c_str());
    return failed;
  }
  return sync_directory(directory_of(path));
}

result<bool> create_directory(const std::filesystem::path& path, mode_t mode) {
  using boost::system::in_place_error; // an error_code converts to bool as well
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno != EEXIST) return {in_place_error, last_error()};
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return {in_place_error, last_error()};
    if (!S_ISDIR(status.st_mode)) return {in_place_error, system_error(ENOTDIR)};
    return false;
  }
  if (::chmod(path.c_str(), mode) != 0) return {in_place_error, last_error()};
  if (const result<> synced = sync_directory(directory_of(path)); !synced)
    return {in_place_error, synced.error()};
  return true;
}

result<> sync_directory(const std::filesystem::path& path) {
  const descriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) return last_error();
  // Some file systems (of networks, of FUSE) have no such thing, and say so.
  if (::fsync(directory.get()) != 0 && errno != EINVAL) return last_error();
  return {};
}

result<directory_lock> directory_lock::acquire(const std::filesystem::path& directory,
                                               std::chrono::milliseconds patience) {
  descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!opened) return last_error();
  constexpr std::chrono::milliseconds pause{10};
  for (std::chrono::milliseconds waited{0};; waited += pause) {
    if (::flock(opened.get(), LOCK_EX | LOCK_NB) == 0) return directory_lock(std::move(opened));
    if (errno != EWOULDBLOCK && errno != EINTR) return last_error();
    if (waited >= patience) return errc::timed_out;
    std::this_thread::sleep_for(pause);
  }
}

} // namespace gotunnel::net
