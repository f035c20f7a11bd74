// The directory of certificates: made on first start, loaded later, renewed in time, never half-written.
//
//   store = cert_store::open(dir, now)    // loads, or makes all four files when the directory holds no
//   ca.crt store.due(now) -> store.renew(now)    // from a timer; then make a new TLS context of
//   credentials() store.reload() when somebody else changed the files
//
// Files: ca.crt ca.key server.crt server.key; directory 0700, keys 0600. All changes go through a journal
// (`.new/`, complete and synced before it gets its name), so a crash leaves the old state or the new one; the
// next open() finishes what was begun. A lock on the directory makes two servers that start at once end with
// one CA. Existing files are never overwritten except server.crt and server.key by a renewal. Errors carry a
// sentence that names the file and the remedy; nothing on disk has changed then. Blocking; one thread.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/crypto/pki.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

namespace gotunnel::link {

/// Names the file, what is wrong with it, and what to do. Ends the program with exit code 2 when thrown at
/// start.
class cert_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

struct cert_policy {
  std::chrono::days leaf_lifetime{365};
  std::chrono::days renew_before{
      90}; ///< the leaf is renewed when less than this is left of it (or a third of its life, if shorter)
};

class cert_store {
public:
  /// Throws cert_error. `created()` tells whether the files were made just now.
  [[nodiscard]] static cert_store open(const std::filesystem::path& directory, wall_time now,
                                       const cert_policy& policy = {});

  [[nodiscard]] const crypto::credential& server() const noexcept { return server_; }
  [[nodiscard]] const std::string& authority() const noexcept { return authority_; } ///< PEM of ca.crt
  [[nodiscard]] const crypto::certificate_facts& server_facts() const noexcept { return server_facts_; }
  [[nodiscard]] const crypto::certificate_facts& authority_facts() const noexcept { return authority_facts_; }
  [[nodiscard]] bool created() const noexcept { return created_; }
  /// False when ca.key is absent: the leaf serves until it expires and cannot be renewed here.
  [[nodiscard]] bool renewable() const noexcept { return renewable_; }

  /// True when the leaf should be renewed now.
  [[nodiscard]] bool due(wall_time now) const noexcept;
  /// Issues a new leaf from the CA and replaces server.crt and server.key together. Throws cert_error.
  void renew(wall_time now);
  /// Reads the files again if they changed; true when they did. Throws cert_error and keeps what it had.
  [[nodiscard]] bool reload();

private:
  explicit cert_store(std::filesystem::path directory, const cert_policy& policy);

  std::filesystem::path directory_;
  cert_policy policy_;
  crypto::credential server_;
  std::string authority_;
  crypto::certificate_facts server_facts_;
  crypto::certificate_facts authority_facts_;
  bool created_ = false;
  bool renewable_ = false;
  // ... the implementation adds what reload() needs
};

} // namespace gotunnel::link
