// The keys of this process, made of its secrets, and made anew when the file with them has changed.
//
//   keyring keys(std::move(config.secret), seed_peers, link::gate_keys_limit);   // a client has 1
//   const auto next = keys.look(); server.renew(next); keys.take(next);          // look() throws usage_error
//   options.keys = [&keys] { return keys.latest(); };                            // a client, before each attempt
//
// Stretching a secret takes 40 ms, during which the worker stands still; it is done for secrets that are new,
// and for nothing else. Only a -secret-file can be read again (secret_source). One thread.
#pragma once

#include "gotunnel/app/secret_source.hpp"
#include "gotunnel/link/gate_keys.hpp"

namespace gotunnel::app {

class keyring {
public:
  /// Of the secrets it takes the first `most`.
  keyring(secret_source source, bool seed_peers, std::size_t most);

  [[nodiscard]] const link::shared_keys& keys() const noexcept { return keys_; }
  /// What look() looks at; empty: there is nothing that could change.
  [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }
  /// For another process, where there is no file (hand_secrets); none when the system has no descriptor left.
  [[nodiscard]] net::descriptor hand_over() const;

  /// The keys as the file is now: keys() itself when nothing has changed. Throws usage_error.
  [[nodiscard]] link::shared_keys look() const;
  void take(link::shared_keys keys) noexcept { keys_ = std::move(keys); }

  /// Looks and takes. A file that cannot be used leaves the former keys; that is logged once until it
  /// changes.
  const link::shared_keys& latest();

private:
  std::filesystem::path file_;
  std::size_t most_;
  link::shared_keys keys_;
  std::string trouble_; ///< the latest that was said
};

} // namespace gotunnel::app
