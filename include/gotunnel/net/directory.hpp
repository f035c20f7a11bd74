// An open directory, and the small files in it, by name.
//
//   auto certs = directory::open_or_make("certs", 0700);      // the path may be a link: whoever gave it chose it
//   if (const auto why = certs->exposure(); !why.empty()) ... // others could exchange what lies here
//   certs->lock(10s); certs->read("ca.crt", limit); certs->create("ca.key", bytes, 0600); certs->sync();
//
// All work is relative to the descriptor, so nobody can put another directory in its place meanwhile. A name
// is one component. No symbolic link in the directory is ever followed to enter, write, rename or remove.
// read() follows one only where nobody but root and this user can have put it. So a process that has more
// power than the owner of the directory (root in a service user's folder) does nothing there that the owner
// could not do; what root makes there belongs to that owner.
//
// Everything blocks for the time of a disk access: at start, or on a helper (net/file_worker). Modes are
// exact: the umask has no say. Errors are those of the system (errno), and of errc where said. One thread at
// a time.
#pragma once

#include "gotunnel/base/bytes.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/net/descriptor.hpp"
#include "gotunnel/net/file.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace gotunnel::net {

class directory {
public:
  /// What a name in the directory stands for. A link is a link, wherever it leads.
  enum class entry { none, file, directory, socket, link, other };
  struct opened;

  [[nodiscard]] static result<directory> open(const std::filesystem::path& path);
  /// Makes the last component with exactly this mode when nothing has that name.
  [[nodiscard]] static result<opened> open_or_make(const std::filesystem::path& path, mode_t mode);
  /// A directory in this one. A link is ENOTDIR or ELOOP.
  [[nodiscard]] result<directory> enter(const std::string& name) const;
  /// Makes it; EEXIST when anything has that name.
  [[nodiscard]] result<directory> make(const std::string& name, mode_t mode) const;

  /// Why others could exchange files here, like "everybody can write to it (mode 0777)"; empty when they
  /// cannot. A sticky directory is safe: others may add names to it, but not replace ours, and theirs are not
  /// read.
  [[nodiscard]] std::string exposure() const;
  /// It belongs to somebody who is neither root nor this user. Root works in everybody's.
  [[nodiscard]] bool foreign() const noexcept;

  /// Waits for another holder until `patience` is over: errc::timed_out. The lock ends with this object, or
  /// with the process.
  [[nodiscard]] result<> lock(std::chrono::milliseconds patience) const;

  [[nodiscard]] result<entry> look(const std::string& name) const;
  /// As read_file(). ELOOP for a link that another user may have put there, EPERM for a file of another user
  /// in a directory that others can write to.
  [[nodiscard]] result<file_content> read(const std::string& name, std::size_t limit) const;
  /// Opens a regular file that has one name, and makes it with mode 0600 when there is none.
  /// ELOOP for a link, EINVAL for what is no such file.
  [[nodiscard]] result<descriptor> open_or_make_file(const std::string& name) const;
  /// The name itself (O_PATH), a link, too: what a check and a use must agree on.
  [[nodiscard]] result<descriptor> place(const std::string& name) const;
  /// Makes the file, which must not exist (EEXIST), and returns when its content is on the disk. On failure
  /// nothing is left behind. Its name is not yet on the disk: sync().
  [[nodiscard]] result<> create(const std::string& name, bytes_view content, mode_t mode) const;
  /// Renames over what has that name in `to`, which is on the same file system.
  [[nodiscard]] result<> move(const std::string& name, const directory& to,
                              const std::string& new_name) const;
  /// A file, link or socket.
  [[nodiscard]] result<> remove(const std::string& name) const;
  /// An empty directory.
  [[nodiscard]] result<> remove_directory(const std::string& name) const;
  /// Up to `most`; more is errc::limit_exceeded.
  [[nodiscard]] result<std::vector<std::string>> names(std::size_t most) const;
  /// Returns when the names here (files made, renamed, removed) are on the disk.
  [[nodiscard]] result<> sync() const;

  [[nodiscard]] int handle() const noexcept { return handle_.get(); }
  [[nodiscard]] uid_t owner() const noexcept { return owner_; }

private:
  explicit directory(descriptor handle, bool in_good_hands = true);

  [[nodiscard]] bool may_follow(const std::string& name) const;
  [[nodiscard]] bool may_trust(const descriptor& what) const;
  void give_to_owner(const descriptor& made) const;

  descriptor handle_;
  uid_t owner_ = 0;
  gid_t group_ = 0;
  mode_t mode_ = 0;
  bool in_good_hands_ = false; ///< only root and this user can replace what lies here
};

struct directory::opened {
  directory place;
  bool made = false;
};

} // namespace gotunnel::net
