// Small files, read with a limit: what a path leads to, wherever that is. Files that are ours to change are
// read and written in their directory (net/directory).
//
//   const auto file = read_file("secret", 4096);           // a regular file
//   const auto text = read_stream("/dev/fd/63", 4096, 60s); // a pipe, a terminal or a regular file, to its end
//
// Both block: at start, or on a helper (net/file_worker). Errors are those of the system (errno), and of errc
// where said.
#pragma once

#include "gotunnel/base/error.hpp"
#include "gotunnel/net/descriptor.hpp"

#include <chrono>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/types.h>

namespace gotunnel::net {

/// A file's content and the permission bits it was read under.
struct file_content {
  std::string bytes;
  mode_t mode = 0;
};

/// O_NONBLOCK: opening a pipe without a writer would wait for one.
inline constexpr int reading_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

/// Reads a regular file of at most `limit` bytes, through symbolic links. A larger file is EFBIG, a directory
/// EISDIR, a pipe or device EINVAL (and is never waited for).
[[nodiscard]] result<file_content> read_file(const std::filesystem::path& path, std::size_t limit);
/// The same for what was opened with reading_flags.
[[nodiscard]] result<file_content> read_file(const descriptor& file, std::size_t limit);

/// Reads until the end of what may be a pipe or a device: at most `limit` bytes (EFBIG), within `patience`
/// (errc::timed_out) from here to the end.
[[nodiscard]] result<std::string> read_stream(const std::filesystem::path& path, std::size_t limit,
                                              std::chrono::milliseconds patience);

/// True when the path leads to a regular file now and later: no pipe or device, and no name of a descriptor.
[[nodiscard]] bool can_be_read_again(const std::filesystem::path& path);

} // namespace gotunnel::net
