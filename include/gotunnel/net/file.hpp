// Small files that matter: read with a limit, written so that a crash leaves the old content or the new one,
// and a lock.
//
// Everything here blocks, for the time of a disk access; it is meant for start, for reloads, and for a timer
// once a day. Modes are exact: the umask has no say. Errors are those of the system (errno), and of errc
// where said.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/net/descriptor.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include <sys/types.h>

namespace gotunnel::net {

/// A file's content and the permission bits it was read under.
struct file_content {
  std::string bytes;
  mode_t mode = 0;
};

/// Reads a regular file of at most `limit` bytes, through symbolic links. A larger file is EFBIG, a directory
/// EISDIR, a pipe or device EINVAL (and is never waited for).
[[nodiscard]] result<file_content> read_file(const std::filesystem::path& path, std::size_t limit);

/// Creates `path`, which must not exist (EEXIST, also for a symbolic link), and returns when its content is
/// on the disk. On failure nothing is left behind. Its name is not yet on the disk: sync_directory().
[[nodiscard]] result<> create_file(const std::filesystem::path& path, bytes_view content, mode_t mode);

/// Replaces `path`, or creates it: the content is complete and on the disk, name included, when this returns.
[[nodiscard]] result<> replace_file(const std::filesystem::path& path, bytes_view content, mode_t mode);

/// Creates a directory with exactly this mode; true when it did not exist before. Parents are not made.
[[nodiscard]] result<bool> create_directory(const std::filesystem::path& path, mode_t mode);

/// Returns when the names in a directory (files made, renamed, removed) are on the disk.
[[nodiscard]] result<> sync_directory(const std::filesystem::path& path);

/// Excludes other processes that lock the same directory; ends with the object, or with the process.
class directory_lock {
public:
  /// Waits for another holder until `patience` is over: errc::timed_out.
  [[nodiscard]] static result<directory_lock> acquire(const std::filesystem::path& directory,
                                                      std::chrono::milliseconds patience);

private:
  explicit directory_lock(descriptor directory) noexcept : directory_(std::move(directory)) {}

  descriptor directory_;
};

} // namespace gotunnel::net
