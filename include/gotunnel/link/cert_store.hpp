// The directory of certificates: made on first start, loaded later, renewed in time, never half-written.
//
//   store = cert_store::open(dir, now)        // loads; makes all four files when there is no ca.crt
//   if (store.due(now)) store.renew(now);     // from a timer
//   if (store.reload(now)) ...                // when somebody else may have changed the files
//   tls_context::server({store.server(), store.authority()})   // anew after each of these
//   for (each : store.expiry(now)) log        // what ends soon, or has ended, and what to do
//
// Files: ca.crt ca.key server.crt server.key; the directory gets mode 0700 when it is made here, keys get
// 0600.
//
// Guarantees. All changes go through a journal (`.new/`, complete and synced before it gets its name), so a
// crash leaves the old state or the new one; the next open() finishes what was begun. A lock on the directory
// makes two servers that start at once end with one CA. Existing files are never overwritten, except
// server.crt and server.key by a renewal, and ca.crt by renew_authority(). Other files in the directory are
// left alone.
//
// A clock that shows a time before the program was made (a board without a battery starts in 1970) is wrong,
// and known to be: what is made then is valid from that time on and lasts as if it were made on
// `policy.built`, so that it serves now and once the clock is right.
//
// Errors carry a sentence that names the file and the remedy; nothing on disk has changed then. Blocking
// (disk, and `patience` for the lock); one thread.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/crypto/pki.hpp"
#include "gotunnel/link/cert_files.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace gotunnel::link {

struct cert_policy {
  std::chrono::days leaf_lifetime{365};
  /// The leaf is renewed when less than this is left of it (or a third of its life, if shorter).
  std::chrono::days renew_before{90};
  wall_time built{}; ///< no clock that shows an earlier time is right
};

/// Another server makes its files in well under a second.
inline constexpr std::chrono::seconds lock_patience{10};

class cert_store {
public:
  /// Throws cert_error. `created()` tells whether the files were made just now.
  [[nodiscard]] static cert_store open(const std::filesystem::path& directory, wall_time now,
                                       const cert_policy& policy = {});
  /// Loads what is there, expired or not, and changes nothing.
  [[nodiscard]] static cert_store look(const std::filesystem::path& directory, wall_time now,
                                       const cert_policy& policy = {});
  /// Makes ca.crt anew with the key that it has, and a leaf of it: whoever pinned the CA goes on, whoever has
  /// its ca.crt needs the new one before the old one ends.
  [[nodiscard]] static cert_store renew_authority(const std::filesystem::path& directory, wall_time now,
                                                  const cert_policy& policy = {});

  [[nodiscard]] const crypto::credential& server() const noexcept { return server_; }
  [[nodiscard]] const std::string& authority() const noexcept { return authority_; } ///< PEM of ca.crt
  [[nodiscard]] const crypto::certificate_facts& server_facts() const noexcept { return server_facts_; }
  [[nodiscard]] const crypto::certificate_facts& authority_facts() const noexcept { return authority_facts_; }
  [[nodiscard]] bool created() const noexcept { return created_; }
  /// False when ca.key is absent: the leaf serves until it expires and cannot be renewed here.
  [[nodiscard]] bool renewable() const noexcept { return renewable_; }

  /// Sentences worth a log line after open(), renew() and reload(): a key that others can read, an end in
  /// sight, a clock that seems wrong. Nothing here prevents service.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }
  /// What has ended, or ends within `renew_before` and is not renewed by itself: the sentences differ from
  /// day to day.
  [[nodiscard]] std::vector<std::string> expiry(wall_time now) const;

  /// True when the leaf should be renewed now, and a new one would end later.
  [[nodiscard]] bool due(wall_time now) const noexcept;
  /// Issues a new leaf from the CA and replaces server.crt and server.key together. Throws cert_error.
  void renew(wall_time now, std::chrono::milliseconds patience = lock_patience);
  /// Reads the files again if they changed; true when they did. Throws cert_error and keeps what it had.
  [[nodiscard]] bool reload(wall_time now, std::chrono::milliseconds patience = lock_patience);

private:
  cert_store(std::filesystem::path directory, const cert_policy& policy)
      : directory_(std::move(directory)), policy_(policy) {}

  void settle(const cert_files& files, wall_time now);
  void make_all(const cert_files& files, wall_time now);
  void issue_leaf(const cert_files& files, wall_time now);
  void load(const cert_files& files);
  void check_times(wall_time now) const;
  void warn_about(wall_time now);

  /// What it is at least, whatever the clock says.
  [[nodiscard]] wall_time today(wall_time now) const noexcept { return std::max(now, policy_.built); }
  [[nodiscard]] std::string remedy_for_authority(bool key_is_there) const;

  std::filesystem::path directory_;
  cert_policy policy_;
  crypto::credential server_;
  std::string authority_;
  crypto::certificate_facts server_facts_;
  crypto::certificate_facts authority_facts_;
  std::vector<std::string> warnings_;
  bool created_ = false;
  bool renewable_ = false;
};

} // namespace gotunnel::link
