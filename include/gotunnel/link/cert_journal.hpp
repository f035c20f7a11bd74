// Several files of a directory that change together, whatever happens in between.
//
//   cert_journal::commit(dir, files)   // under the directory's lock
//   cert_journal::finish(dir)          // first thing after locking: completes what a crash interrupted
//
// The files are written to `.new.tmp/` and synced; renaming that to `.new/` is the commit; then each file is
// renamed to its place. A crash before the commit leaves rubbish that finish() removes; a crash after it
// leaves `.new/`, which finish() completes. Errors are those of the system; before the commit they leave
// everything as it was. A symbolic link of either name is never followed: ENOTDIR or ELOOP (net/directory).
#pragma once

#include "gotunnel/net/directory.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::link {

class cert_journal {
public:
  struct file {
    std::string name;
    std::string_view content;
    mode_t mode;
  };

  /// Where committed files wait for their place. Holds only complete files.
  static constexpr const char* waiting_room = ".new";

  /// Puts the files in their places, over those that are there.
  [[nodiscard]] static result<> commit(const net::directory& directory, const std::vector<file>& files);

  /// Removes what was not committed. Changes nothing else.
  [[nodiscard]] static result<> discard_uncommitted(const net::directory& directory);
  /// True when committed files wait.
  [[nodiscard]] static bool pending(const net::directory& directory);
  /// Puts the waiting files in their places.
  [[nodiscard]] static result<> finish(const net::directory& directory);
};

namespace detail {

/// For tests: called before every change that the journal makes on disk, so that a test can die there.
using journal_observer = void (*)(std::string_view step);
inline constinit journal_observer observe_journal = nullptr;

} // namespace detail

} // namespace gotunnel::link
