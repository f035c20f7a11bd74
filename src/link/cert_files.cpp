#include "gotunnel/link/cert_files.hpp"

#include "gotunnel/crypto/pki.hpp"

#include <unistd.h>

namespace gotunnel::link {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t size_limit = 64 * 1024; ///< bytes of a file; certificates and keys have one or two KiB

bool present_in(const net::directory& directory, const fs::path& path, const std::string& name) {
  const auto there = directory.look(name);
  if (there) return *there != net::directory::entry::none;
  refuse(path / name, "cannot be examined: {}; check the permissions of its directory",
         there.error().message());
}

/// A CA is renewed with the key that it had.
bool same_key(std::string_view one_pem, std::string_view other_pem) {
  const auto one = crypto::read_certificate(one_pem), other = crypto::read_certificate(other_pem);
  return one && other && one->pin == other->pin;
}

net::directory open(const fs::path& path) {
  auto opened = net::directory::open(path);
  if (!opened)
    refuse(path, "cannot be opened: {}; name the server's -certs directory", opened.error().message());
  return std::move(*opened);
}

net::directory open_or_make(const fs::path& path) {
  auto opened = net::directory::open_or_make(path, 0700);
  if (!opened)
    refuse(path, "cannot be made: {}; make it, or choose another with -certs", opened.error().message());
  return std::move(opened->place);
}

} // namespace

cert_files::cert_files(net::directory directory, fs::path path, std::chrono::milliseconds patience,
                       std::vector<std::string>& warnings)
    : path_(std::move(path)), directory_(std::move(directory)) {
  if (const std::string why = directory_.exposure(); !why.empty())
    refuse(
        path_,
        "{}, and exchange the keys; chmod go-w {}, or give a directory in it, which is made then: -certs {}",
        why, path_.string(), (path_ / "certs").string());
  if (directory_.foreign())
    refuse(path_,
           "belongs to user {}, who is neither root nor this one ({}); run this as that user, or chown it",
           directory_.owner(), ::geteuid());
  const auto locked = directory_.lock(patience);
  if (locked) return;
  if (locked.error() == errc::timed_out)
    throw cert_busy(fmt::format("{}: another process holds its lock; stop that one or wait", path_.string()));
  // File systems of networks may have no locks. Serving from them is fine, only starting twice at once is
  // not.
  warnings.push_back(fmt::format("{}: cannot be locked ({}): never start two servers on it at once",
                                 path_.string(), locked.error().message()));
}

cert_files::cert_files(const fs::path& path, std::chrono::milliseconds patience,
                       std::vector<std::string>& warnings)
    : cert_files(open(path), path, patience, warnings) {}

cert_files cert_files::make(const fs::path& path, std::chrono::milliseconds patience,
                            std::vector<std::string>& warnings) {
  return {open_or_make(path), path, patience, warnings};
}

bool cert_files::present(const std::string& name) const { return present_in(directory_, path_, name); }

net::file_content cert_files::read(const net::directory& directory, const fs::path& path,
                                   const std::string& name) {
  auto content = directory.read(name, size_limit);
  if (content) return std::move(*content);
  const fs::path file = path / name;
  const error_code why = content.error();
  namespace cause = boost::system::errc;
  if (why == cause::permission_denied)
    refuse(file, "cannot be read: permission denied; let the server's user read it");
  if (why == cause::file_too_large)
    refuse(file, "is larger than 64 KiB, so it is something else; put the right file there");
  if (why == cause::is_a_directory) refuse(file, "is a directory; move it away and put the file there");
  if (why == cause::no_such_file_or_directory) refuse(file, "points nowhere or is gone; restore it");
  if (why == cause::too_many_symbolic_link_levels)
    refuse(file, "is a symbolic link that leads nowhere, or that another user may have put there; put the "
                 "file itself there");
  refuse(file, "cannot be read: {}; put a regular file there", why.message());
}

void cert_files::refuse_write(const error_code& why) const {
  refuse(path_, "cannot be written: {}; {}", why.message(),
         interrupted() ? "the next start completes the change" : "nothing was changed");
}

void cert_files::commit(const std::vector<cert_journal::file>& files) const {
  if (const auto done = cert_journal::commit(directory_, files); !done) refuse_write(done.error());
}

void cert_files::recover(std::vector<std::string>& warnings) const {
  if (const auto done = cert_journal::discard_uncommitted(directory_); !done) {
    warnings.push_back(
        fmt::format("{}: cannot remove .new.tmp, which is no directory of an interrupted start: {}; "
                    "remove it, and see who put it there",
                    path_.string(), done.error().message()));
  }
  if (!interrupted()) return;
  const fs::path path = path_of(cert_journal::waiting_room);
  const auto room = directory_.enter(cert_journal::waiting_room);
  if (!room) refuse(path, "cannot be opened: {}; remove it", room.error().message());
  constexpr std::string_view remedy = "remove it if the files beside it are the ones to use";
  const auto waits = [&](const std::string& name) { return present_in(*room, path, name); };
  const auto after = [&](const std::string& name) {
    return (waits(name) ? read(*room, path, name) : read(name)).bytes;
  };
  if (waits("ca.crt") && present("ca.crt") &&
      !same_key(read(*room, path, "ca.crt").bytes, read("ca.crt").bytes))
    refuse(path, "was left by an interrupted first start, but ca.crt is there now; {}", remedy);
  const std::string authority = after("ca.crt"), leaf = after("server.crt");
  const auto matches = crypto::key_matches(leaf, secret_text::take(after("server.key")));
  const auto is_signed = crypto::signed_by(leaf, authority);
  if (!matches || !*matches || !is_signed || !*is_signed) {
    refuse(path, "was left by an interrupted renewal and does not fit the files beside it; {}", remedy);
  }
  if (const auto done = cert_journal::finish(directory_); !done) refuse_write(done.error());
}

} // namespace gotunnel::link
