#include "gotunnel/net/file.hpp"

#include "gotunnel/net/last_error.hpp"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gotunnel::net {
namespace {

error_code system_error(int number) noexcept { return {number, boost::system::system_category()}; }

/// Waits until there is something to read, or the end.
result<> await_readable(const descriptor& file, std::chrono::steady_clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd question{file.get(), POLLIN, 0};
    const int ready = ::poll(&question, 1, std::max(0, static_cast<int>(left.count())));
    if (ready > 0) return {};
    if (ready == 0) return errc::timed_out;
    if (errno != EINTR) return last_error();
  }
}

} // namespace

result<file_content> read_file(const std::filesystem::path& path, std::size_t limit) {
  const descriptor file{::open(path.c_str(), reading_flags)};
  if (!file) return last_error();
  return read_file(file, limit);
}

result<file_content> read_file(const descriptor& file, std::size_t limit) {
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

result<std::string> read_stream(const std::filesystem::path& path, std::size_t limit,
                                std::chrono::milliseconds patience) {
  const descriptor file{::open(path.c_str(), reading_flags)};
  if (!file) return last_error();
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return last_error();
  if (S_ISDIR(status.st_mode)) return system_error(EISDIR);
  const auto until = std::chrono::steady_clock::now() + patience;
  std::string text(limit + 1, '\0'); // never moved: a secret must not lie about in copies
  std::size_t size = 0;
  while (size < text.size()) {
    // A pipe that nobody has opened for writing yet looks like its end to read(), and not to poll().
    if (const result<> ready = await_readable(file, until); !ready) return ready.error();
    const ssize_t n = ::read(file.get(), text.data() + size, text.size() - size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return last_error();
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > limit) return system_error(EFBIG);
  text.resize(size);
  return text;
}

bool can_be_read_again(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode) &&
         !path.native().starts_with("/dev/") && !path.native().starts_with("/proc/");
}

} // namespace gotunnel::net
