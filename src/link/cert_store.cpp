#include "gotunnel/link/cert_store.hpp"

#include "gotunnel/link/cert_journal.hpp"
#include "gotunnel/net/file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace gotunnel::link {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::string_view ca_crt = "ca.crt", ca_key = "ca.key", server_crt = "server.crt",
                           server_key = "server.key";

constexpr std::size_t size_limit = 64 * 1024; ///< bytes of a file; certificates and keys have one or two KiB
constexpr auto lock_patience = 10s;           ///< another server makes its files in well under a second

template <class... Args>
[[noreturn]] void refuse(const fs::path& file, fmt::format_string<Args...> text, Args&&... args) {
  throw cert_error(fmt::format("{}: {}", file.string(), fmt::format(text, std::forward<Args>(args)...)));
}

/// A dangling symbolic link exists: somebody meant a file to be there.
bool present(const fs::path& file) {
  std::error_code failed;
  const fs::file_status status = fs::symlink_status(file, failed);
  if (status.type() == fs::file_type::not_found) return false;
  if (failed)
    refuse(file, "cannot be examined: {}; check the permissions of its directory", failed.message());
  return true;
}

net::file_content read(const fs::path& file) {
  auto content = net::read_file(file, size_limit);
  if (content) return std::move(*content);
  const error_code why = content.error();
  namespace cause = boost::system::errc;
  if (why == cause::permission_denied)
    refuse(file, "cannot be read: permission denied; let the server's user read it");
  if (why == cause::file_too_large)
    refuse(file, "is larger than 64 KiB, so it is something else; put the right file there");
  if (why == cause::is_a_directory) refuse(file, "is a directory; move it away and put the file there");
  if (why == cause::no_such_file_or_directory) refuse(file, "points nowhere or is gone; restore it");
  refuse(file, "cannot be read: {}; put a regular file there", why.message());
}

crypto::certificate_facts read_facts(const fs::path& file, const std::string& pem) {
  const auto facts = crypto::read_certificate(pem);
  if (!facts) refuse(file, "is not a certificate in PEM form; restore it from a backup");
  return *facts;
}

void check_key(const fs::path& certificate, const std::string& pem, const fs::path& key_file,
               const secret_text& key) {
  const auto matches = crypto::key_matches(pem, key);
  if (!matches)
    refuse(key_file, "is not a private key in PEM form without passphrase; restore it from a backup");
  if (!*matches) {
    refuse(key_file, "does not belong to {}; restore the two files that belong together",
           certificate.filename().string());
  }
}

std::optional<net::directory_lock> lock_directory(const fs::path& directory,
                                                  std::vector<std::string>& warnings) {
  auto locked = net::directory_lock::acquire(directory, lock_patience);
  if (locked) return std::move(*locked);
  if (locked.error() == errc::timed_out)
    refuse(directory, "another process holds its lock; stop that one or wait");
  // File systems of networks may have no locks. Serving from them is fine, only starting twice at once is
  // not.
  warnings.push_back(fmt::format("{}: cannot be locked ({}): never start two servers on it at once",
                                 directory.string(), locked.error().message()));
  return std::nullopt;
}

/// After a write failed.
[[noreturn]] void refuse_write(const fs::path& directory, const error_code& why) {
  refuse(directory, "cannot be written: {}; {}", why.message(),
         cert_journal::pending(directory) ? "the next start completes the change" : "nothing was changed");
}

/// What a crash between the commit and the last rename left is completed, but only if the result fits
/// together: files that somebody put in place meanwhile are not ours to overwrite.
void recover(const fs::path& directory, std::vector<std::string>& warnings) {
  if (const auto done = cert_journal::discard_uncommitted(directory); !done) {
    warnings.push_back(fmt::format("{}: cannot remove .new.tmp, which an interrupted start left: {}",
                                   directory.string(), done.error().message()));
  }
  if (!cert_journal::pending(directory)) return;
  const fs::path room = cert_journal::waiting_room(directory);
  constexpr std::string_view remedy = "remove it if the files beside it are the ones to use";
  const auto after = [&](std::string_view name) {
    return read(present(room / name) ? room / name : directory / name).bytes;
  };
  if (present(room / ca_crt) && present(directory / ca_crt)) {
    refuse(room, "was left by an interrupted first start, but ca.crt is there now; {}", remedy);
  }
  const std::string authority = after(ca_crt), leaf = after(server_crt);
  const auto matches = crypto::key_matches(leaf, secret_text::take(after(server_key)));
  const auto is_signed = crypto::signed_by(leaf, authority);
  if (!matches || !*matches || !is_signed || !*is_signed) {
    refuse(room, "was left by an interrupted renewal and does not fit the files beside it; {}", remedy);
  }
  if (const auto done = cert_journal::finish(directory); !done) refuse_write(directory, done.error());
}

void commit(const fs::path& directory, const std::vector<cert_journal::file>& files) {
  if (const auto done = cert_journal::commit(directory, files); !done) refuse_write(directory, done.error());
}

} // namespace

cert_store cert_store::open(const fs::path& directory, wall_time now, const cert_policy& policy) {
  if (const auto made = net::create_directory(directory, 0700); !made) {
    refuse(directory, "cannot be made: {}; make it, or choose another with -certs", made.error().message());
  }
  cert_store store(directory, policy);
  const auto locked = lock_directory(directory, store.warnings_);
  store.settle(now);
  return store;
}

/// Brings the directory into a state that can be served, and loads it. Under the lock.
void cert_store::settle(wall_time now) {
  recover(directory_, warnings_);
  const bool leaf = present(directory_ / server_crt), key = present(directory_ / server_key);
  if (!present(directory_ / ca_crt)) {
    for (const std::string_view other : {ca_key, server_crt, server_key}) {
      if (present(directory_ / other)) {
        refuse(directory_ / ca_crt,
               "is missing, but {} is there; restore ca.crt, or move {} away to have a new CA made", other,
               other);
      }
    }
    make_all(now);
  } else if (leaf != key) {
    refuse(directory_ / (leaf ? server_key : server_crt),
           "is missing; restore it, or move {} away to have both issued anew",
           leaf ? server_crt : server_key);
  } else if (!leaf) {
    if (!present(directory_ / ca_key)) {
      refuse(directory_ / server_crt,
             "is missing, and without ca.key no new one can be issued; restore server.crt and "
             "server.key, or put ca.key there");
    }
    issue_leaf(now);
    warnings_.push_back(
        fmt::format("{}: was missing and has been issued anew", (directory_ / server_crt).string()));
  }
  const std::vector<std::string> before = warnings_;
  load(now);
  if (due(now)) {
    try {
      issue_leaf(now);
      warnings_ = before; // what the first load() had to say is said again, or true no more
      load(now);
    } catch (const cert_error& failed) {
      if (server_facts_.not_after <= now) throw;
      warnings_.push_back(
          fmt::format("renewal failed: {}", failed.what())); // the old leaf serves for a while yet
    }
  }
  check_times(now);
  warn_about(now);
}

void cert_store::make_all(wall_time now) {
  const auto authority = crypto::make_authority(now);
  const auto leaf = authority ? crypto::issue_server(*authority, now, policy_.leaf_lifetime) : authority;
  if (!leaf) refuse(directory_, "no certificates can be made: {}", leaf.error().message());
  commit(directory_, {{ca_key, authority->key.reveal(), 0600},
                      {ca_crt, authority->certificate, 0644},
                      {server_key, leaf->key.reveal(), 0600},
                      {server_crt, leaf->certificate, 0644}});
  created_ = true;
}

/// Issues from the CA on disk, not from memory: the key is not kept there.
void cert_store::issue_leaf(wall_time now) {
  const crypto::credential authority{read(directory_ / ca_crt).bytes,
                                     secret_text::take(read(directory_ / ca_key).bytes)};
  const auto facts = read_facts(directory_ / ca_crt, authority.certificate);
  check_key(directory_ / ca_crt, authority.certificate, directory_ / ca_key, authority.key);
  const auto leaf = crypto::issue_server(authority, now, policy_.leaf_lifetime);
  if (!leaf) {
    refuse(directory_ / ca_crt,
           "no server certificate can be issued from it ({}; it ends on {}); move all four files "
           "away to have a new CA made, and give its ca.crt to the clients",
           leaf.error().message(), describe(facts.not_after));
  }
  commit(directory_, {{server_key, leaf->key.reveal(), 0600}, {server_crt, leaf->certificate, 0644}});
}

/// Reads the four files and checks that they belong together. Members change only when all is well.
void cert_store::load(wall_time now) {
  const fs::path authority_file = directory_ / ca_crt, leaf_file = directory_ / server_crt,
                 key_file = directory_ / server_key, authority_key_file = directory_ / ca_key;
  std::string authority = read(authority_file).bytes;
  auto authority_facts = read_facts(authority_file, authority);
  if (!authority_facts.authority)
    refuse(authority_file, "is not the certificate of a CA; put the CA's there");

  std::string leaf = read(leaf_file).bytes;
  auto leaf_facts = read_facts(leaf_file, leaf);
  net::file_content key_content = read(key_file);
  const secret_text key = secret_text::take(std::move(key_content.bytes));
  check_key(leaf_file, leaf, key_file, key);
  const auto is_signed = crypto::signed_by(leaf, authority);
  if (!is_signed || !*is_signed) {
    refuse(
        leaf_file,
        "is not signed by ca.crt; restore the files that belong together, or move server.crt and server.key "
        "away to have them issued anew");
  }
  if (std::find(leaf_facts.dns_names.begin(), leaf_facts.dns_names.end(), crypto::server_name) ==
      leaf_facts.dns_names.end()) {
    refuse(
        leaf_file,
        "is not for {}, which clients ask for; move server.crt and server.key away to have them issued anew",
        crypto::server_name);
  }

  std::vector<std::string> warnings;
  const auto warn_if_open = [&warnings](const fs::path& file, mode_t mode) {
    if ((mode & 0077) == 0) return;
    warnings.push_back(
        fmt::format("{}: others than its owner can use it (mode {:04o}); chmod 600 it", file.string(), mode));
  };
  const bool renewable = present(authority_key_file);
  warn_if_open(key_file, key_content.mode);
  if (renewable) {
    net::file_content content = read(authority_key_file);
    check_key(authority_file, authority, authority_key_file, secret_text::take(std::move(content.bytes)));
    warn_if_open(authority_key_file, content.mode);
  }

  authority_ = std::move(authority);
  authority_facts_ = std::move(authority_facts);
  server_ = {std::move(leaf), std::move(key)};
  server_facts_ = std::move(leaf_facts);
  renewable_ = renewable;
  looked_at_ = std::max(looked_at_, now);
  warnings_.insert(warnings_.end(), std::make_move_iterator(warnings.begin()),
                   std::make_move_iterator(warnings.end()));
}

void cert_store::check_times(wall_time now) {
  if (authority_facts_.not_after <= now) {
    refuse(directory_ / ca_crt,
           "expired on {}; move all four files away to have a new CA made, and give its ca.crt to the "
           "clients",
           describe(authority_facts_.not_after));
  }
  if (server_facts_.not_after <= now) {
    refuse(directory_ / server_crt,
           "expired on {}; put ca.key there to have it renewed, or replace it and server.key",
           describe(server_facts_.not_after));
  }
}

void cert_store::warn_about(wall_time now) {
  const auto warn = [this](std::string_view file, const std::string& text) {
    warnings_.push_back(fmt::format("{}: {}", (directory_ / file).string(), text));
  };
  if (!renewable_) {
    warn(server_crt, fmt::format("expires on {} and cannot be renewed here, because ca.key is absent",
                                 describe(server_facts_.not_after)));
  }
  if (now < server_facts_.not_before || now < authority_facts_.not_before) {
    warn(server_crt, fmt::format("is not valid before {}; is this machine's clock right?",
                                 describe(std::max(server_facts_.not_before, authority_facts_.not_before))));
  }
  if (authority_facts_.not_after - now < policy_.renew_before) {
    warn(ca_crt, fmt::format("expires on {}; every client will need a new one",
                             describe(authority_facts_.not_after)));
  }
}

bool cert_store::due(wall_time now) const noexcept {
  if (!renewable_ || authority_facts_.not_after <= now) return false;
  const auto life = server_facts_.not_after - server_facts_.not_before;
  const auto left = server_facts_.not_after - now;
  if (left >= std::min<std::chrono::seconds>(policy_.renew_before, life / 3)) return false;
  // A leaf ends with its CA at the latest; near that end a new one would gain nothing, again and again.
  return std::min<wall_time>(now + policy_.leaf_lifetime, authority_facts_.not_after) >
         server_facts_.not_after;
}

void cert_store::renew(wall_time now) {
  cert_store next(directory_, policy_);
  const auto locked = lock_directory(directory_, next.warnings_);
  recover(directory_, next.warnings_);
  if (!present(directory_ / ca_key))
    refuse(directory_ / ca_key, "is absent; put it there to renew server.crt");
  next.load(now); // refuses to build on files that do not fit together
  next.warnings_.clear();
  next.issue_leaf(now);
  next.load(now);
  next.warn_about(now);
  next.created_ = created_;
  *this = std::move(next);
}

bool cert_store::reload() {
  cert_store next(directory_, policy_);
  const auto locked = lock_directory(directory_, next.warnings_);
  recover(directory_, next.warnings_);
  next.load(looked_at_);
  next.check_times(looked_at_);
  if (next.authority_ == authority_ && next.server_.certificate == server_.certificate &&
      next.server_.key.reveal() == server_.key.reveal() && next.renewable_ == renewable_) {
    return false;
  }
  next.warn_about(looked_at_);
  next.created_ = created_;
  *this = std::move(next);
  return true;
}

} // namespace gotunnel::link
