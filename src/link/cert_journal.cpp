#include "gotunnel/link/cert_journal.hpp"

#include "gotunnel/net/file.hpp"

#include <string>

namespace gotunnel::link {
namespace {

namespace fs = std::filesystem;

void step(std::string_view what) {
  if (detail::observe_journal != nullptr) detail::observe_journal(what);
}

fs::path draft_of(const fs::path& directory) { return directory / ".new.tmp"; }

result<> rename_to(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  fs::rename(from, to, failed);
  if (failed) return error_code(failed);
  return {};
}

/// Not recursive on purpose: what is not a file of ours makes the removal fail instead of vanishing.
result<> remove_flat(const fs::path& directory) {
  std::error_code failed;
  std::vector<fs::path> names;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    names.push_back(entry->path());
  }
  for (const fs::path& name : names) {
    if (!failed) fs::remove(name, failed);
  }
  if (!failed) fs::remove(directory, failed);
  if (failed) return error_code(failed);
  return {};
}

result<> write_draft(const fs::path& draft, const std::vector<cert_journal::file>& files) {
  step("make the draft");
  const auto made = net::create_directory(draft, 0700);
  if (!made) return made.error();
  if (!*made) return make_error_code(boost::system::errc::file_exists); // discard_uncommitted() could not
  for (const auto& one : files) {
    step("write a file");
    const auto written = net::create_file(draft / one.name, as_bytes(one.content), one.mode);
    if (!written) return written;
  }
  return net::sync_directory(draft);
}

} // namespace

result<> cert_journal::commit(const fs::path& directory, const std::vector<file>& files) {
  const fs::path draft = draft_of(directory);
  result<> done = write_draft(draft, files);
  if (done) {
    step("commit");
    done = rename_to(draft, waiting_room(directory));
  }
  if (!done) {
    [[maybe_unused]] const auto removed =
        discard_uncommitted(directory); // the first error is the one to tell
    return done;
  }
  if (done = net::sync_directory(directory); !done) return done;
  return finish(directory);
}

result<> cert_journal::discard_uncommitted(const fs::path& directory) {
  const fs::path draft = draft_of(directory);
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(draft, ignored))) return {};
  step("discard");
  return remove_flat(draft);
}

bool cert_journal::pending(const fs::path& directory) {
  std::error_code ignored;
  return fs::is_directory(fs::symlink_status(waiting_room(directory), ignored));
}

result<> cert_journal::finish(const fs::path& directory) {
  if (!pending(directory)) return {};
  const fs::path room = waiting_room(directory);
  std::error_code failed;
  std::vector<fs::path> names;
  for (fs::directory_iterator entry(room, failed), end; !failed && entry != end; entry.increment(failed)) {
    names.push_back(entry->path().filename());
  }
  if (failed) return error_code(failed);
  for (const fs::path& name : names) {
    step("put in place");
    if (const auto moved = rename_to(room / name, directory / name); !moved) return moved;
  }
  // The places must be on the disk before the room that could fill them again goes.
  if (const auto synced = net::sync_directory(directory); !synced) return synced;
  step("clear away");
  fs::remove(room, failed);
  if (failed) return error_code(failed);
  return net::sync_directory(directory);
}

} // namespace gotunnel::link
