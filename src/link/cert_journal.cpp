#include "gotunnel/link/cert_journal.hpp"

namespace gotunnel::link {
namespace {

constexpr const char* draft_name = ".new.tmp";
constexpr std::size_t most_names = 64; ///< we put four files there

void step(std::string_view what) {
  if (detail::observe_journal != nullptr) detail::observe_journal(what);
}

/// Not recursive on purpose: what is not a file of ours makes the removal fail instead of vanishing.
result<> remove_flat(const net::directory& parent, const std::string& name) {
  const auto room = parent.enter(name);
  if (!room) return room.error();
  const auto names = room->names(most_names);
  if (!names) return names.error();
  for (const std::string& each : *names) {
    if (const auto removed = room->remove(each); !removed) return removed;
  }
  return parent.remove_directory(name);
}

result<> write_draft(const net::directory& directory, const std::vector<cert_journal::file>& files) {
  step("make the draft");
  const auto draft = directory.make(draft_name, 0700);
  if (!draft) return draft.error(); // EEXIST: discard_uncommitted() could not
  for (const auto& one : files) {
    step("write a file");
    const auto written = draft->create(one.name, as_bytes(one.content), one.mode);
    if (!written) return written;
  }
  return draft->sync();
}

} // namespace

result<> cert_journal::commit(const net::directory& directory, const std::vector<file>& files) {
  result<> done = write_draft(directory, files);
  if (done) {
    step("commit");
    done = directory.move(draft_name, directory, waiting_room);
  }
  if (!done) {
    [[maybe_unused]] const auto removed =
        discard_uncommitted(directory); // the first error is the one to tell
    return done;
  }
  if (done = directory.sync(); !done) return done;
  return finish(directory);
}

result<> cert_journal::discard_uncommitted(const net::directory& directory) {
  const auto there = directory.look(draft_name);
  if (there && *there == net::directory::entry::none) return {};
  step("discard");
  return remove_flat(directory, draft_name);
}

bool cert_journal::pending(const net::directory& directory) {
  const auto there = directory.look(waiting_room);
  return there && *there == net::directory::entry::directory;
}

result<> cert_journal::finish(const net::directory& directory) {
  if (!pending(directory)) return {};
  const auto room = directory.enter(waiting_room);
  if (!room) return room.error();
  const auto names = room->names(most_names);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    step("put in place");
    if (const auto moved = room->move(name, directory, name); !moved) return moved;
  }
  // The places must be on the disk before the room that could fill them again goes.
  if (const auto synced = directory.sync(); !synced) return synced;
  step("clear away");
  if (const auto removed = directory.remove_directory(waiting_room); !removed) return removed;
  return directory.sync();
}

} // namespace gotunnel::link
