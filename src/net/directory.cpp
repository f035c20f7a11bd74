#include "gotunnel/net/directory.hpp"

#include "gotunnel/net/last_error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <memory>
#include <thread>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gotunnel::net {
namespace {

using boost::system::in_place_error; // an error_code converts to bool as well

constexpr int opening = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

error_code system_error(int number) noexcept { return {number, boost::system::system_category()}; }

bool is_trusted(uid_t user) noexcept { return user == 0 || user == ::geteuid(); }

result<> sync_handle(int handle) {
  // Some file systems (of networks, of FUSE) have no such thing, and say so.
  if (::fsync(handle) != 0 && errno != EINVAL) return last_error();
  return {};
}

result<> write_all(int file, bytes_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(file, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    content = content.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

result<> sync_parent(const std::filesystem::path& path) {
  const auto parent = path.has_parent_path() ? path.parent_path() : ".";
  const descriptor opened{::open(parent.c_str(), opening)};
  if (!opened) return last_error();
  return sync_handle(opened.get());
}

std::filesystem::path without_slash(const std::filesystem::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

} // namespace

directory::directory(descriptor handle, bool in_good_hands) : handle_(std::move(handle)) {
  struct ::stat status {};
  if (::fstat(handle_.get(), &status) != 0) return;
  owner_ = status.st_uid;
  group_ = status.st_gid;
  mode_ = status.st_mode & 07777;
  in_good_hands_ =
      in_good_hands && is_trusted(owner_) && ((mode_ & (S_IWGRP | S_IWOTH)) == 0 || (mode_ & S_ISVTX) != 0);
}

result<directory> directory::open(const std::filesystem::path& path) {
  descriptor there{::open(path.c_str(), opening)};
  if (!there) return last_error();
  return directory(std::move(there));
}

result<directory::opened> directory::open_or_make(const std::filesystem::path& given, mode_t mode) {
  const std::filesystem::path path = without_slash(given);
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno != EEXIST) return last_error();
    auto there = open(given);
    if (!there) return there.error();
    return directory::opened{std::move(*there), false};
  }
  descriptor made{::open(path.c_str(), opening | O_NOFOLLOW)};
  if (!made || ::fchmod(made.get(), mode) != 0) return last_error();
  if (const result<> synced = sync_parent(path); !synced) return synced.error();
  return directory::opened{directory(std::move(made)), true};
}

result<directory> directory::enter(const std::string& name) const {
  descriptor there{::openat(handle(), name.c_str(), opening | O_NOFOLLOW)};
  if (!there) return last_error();
  if (!may_trust(there)) return system_error(EPERM);
  return directory(std::move(there), in_good_hands_);
}

result<directory> directory::make(const std::string& name, mode_t mode) const {
  if (::mkdirat(handle(), name.c_str(), 0700) != 0) return last_error();
  descriptor made{::openat(handle(), name.c_str(), opening | O_NOFOLLOW)};
  if (!made || ::fchmod(made.get(), mode) != 0) return last_error();
  give_to_owner(made);
  return directory(std::move(made), in_good_hands_);
}

std::string directory::exposure() const {
  if ((mode_ & S_ISVTX) == 0 && (mode_ & S_IWOTH) != 0)
    return fmt::format("everybody can write to it (mode {:04o})", mode_);
  if ((mode_ & S_ISVTX) == 0 && (mode_ & S_IWGRP) != 0)
    return fmt::format("its group can write to it (mode {:04o})", mode_);
  return {};
}

bool directory::foreign() const noexcept { return !is_trusted(owner_) && ::geteuid() != 0; }

result<> directory::lock(std::chrono::milliseconds patience) const {
  constexpr std::chrono::milliseconds pause{10};
  for (std::chrono::milliseconds waited{0};; waited += pause) {
    if (::flock(handle(), LOCK_EX | LOCK_NB) == 0) return {};
    if (errno != EWOULDBLOCK && errno != EINTR) return last_error();
    if (waited >= patience) return errc::timed_out;
    std::this_thread::sleep_for(pause);
  }
}

result<directory::entry> directory::look(const std::string& name) const {
  struct ::stat status {};
  if (::fstatat(handle(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return entry::none;
    return last_error();
  }
  if (S_ISREG(status.st_mode)) return entry::file;
  if (S_ISDIR(status.st_mode)) return entry::directory;
  if (S_ISSOCK(status.st_mode)) return entry::socket;
  return S_ISLNK(status.st_mode) ? entry::link : entry::other;
}

/// Where nobody else can replace names, a link of ours, or of root, is as good as the path it stands for:
/// mounted secrets of Kubernetes are such links.
bool directory::may_follow(const std::string& name) const {
  struct ::stat status {};
  return in_good_hands_ && ::fstatat(handle(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISLNK(status.st_mode) && is_trusted(status.st_uid);
}

result<file_content> directory::read(const std::string& name, std::size_t limit) const {
  descriptor file{::openat(handle(), name.c_str(), reading_flags | O_NOFOLLOW)};
  if (!file && errno == ELOOP) {
    if (!may_follow(name)) return system_error(ELOOP);
    file = descriptor{::openat(handle(), name.c_str(), reading_flags)};
  }
  if (!file) return last_error();
  if (!may_trust(file)) return system_error(EPERM);
  return read_file(file, limit);
}

/// Where others may add names, what is there must be ours, or root's: they may have been first.
bool directory::may_trust(const descriptor& what) const {
  if ((mode_ & (S_IWGRP | S_IWOTH)) == 0) return true;
  struct ::stat status {};
  return ::fstat(what.get(), &status) == 0 && is_trusted(status.st_uid);
}

result<descriptor> directory::open_or_make_file(const std::string& name) const {
  constexpr int wanted = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  descriptor file{::openat(handle(), name.c_str(), wanted | O_CREAT | O_EXCL, 0600)};
  if (file) {
    give_to_owner(file);
    return file;
  }
  if (errno != EEXIST) return last_error();
  file = descriptor{::openat(handle(), name.c_str(), wanted)};
  struct ::stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return last_error();
  // A second name of somebody else's file would have us write into that.
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1) return system_error(EINVAL);
  return file;
}

result<descriptor> directory::place(const std::string& name) const {
  descriptor there{::openat(handle(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (!there) return last_error();
  return there;
}

result<> directory::create(const std::string& name, bytes_view content, mode_t mode) const {
  const descriptor file{
      ::openat(handle(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file) return last_error();
  const auto fill = [&]() -> result<> {
    // The mode comes before the content: nobody may open the file in between and read on.
    if (::fchmod(file.get(), mode) != 0) return last_error();
    give_to_owner(file);
    if (const result<> written = write_all(file.get(), content); !written) return written;
    return sync_handle(file.get());
  };
  const result<> filled = fill();
  if (!filled) ::unlinkat(handle(), name.c_str(), 0);
  return filled;
}

/// What root makes in a folder of the service user must be the user's, who could not read it else. Without
/// the power to give it away it stays ours.
void directory::give_to_owner(const descriptor& made) const {
  if (::geteuid() == 0 && owner_ != 0) [[maybe_unused]]
    const int given = ::fchown(made.get(), owner_, group_);
}

result<> directory::move(const std::string& name, const directory& to, const std::string& new_name) const {
  if (::renameat(handle(), name.c_str(), to.handle(), new_name.c_str()) != 0) return last_error();
  return {};
}

result<> directory::remove(const std::string& name) const {
  if (::unlinkat(handle(), name.c_str(), 0) != 0) return last_error();
  return {};
}

result<> directory::remove_directory(const std::string& name) const {
  if (::unlinkat(handle(), name.c_str(), AT_REMOVEDIR) != 0) return last_error();
  return {};
}

result<std::vector<std::string>> directory::names(std::size_t most) const {
  descriptor again{::openat(handle(), ".", opening)}; // a place in the list of its own
  if (!again) return last_error();
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(again.get()), &::closedir);
  if (!list) return last_error();
  [[maybe_unused]] const int handed_over = again.release();
  std::vector<std::string> all;
  for (errno = 0; const dirent* each = ::readdir(list.get()); errno = 0) {
    const std::string_view name(each->d_name);
    if (name == "." || name == "..") continue;
    if (all.size() == most) return errc::limit_exceeded;
    all.emplace_back(name);
  }
  if (errno != 0) return last_error();
  return all;
}

result<> directory::sync() const { return sync_handle(handle()); }

} // namespace gotunnel::net
