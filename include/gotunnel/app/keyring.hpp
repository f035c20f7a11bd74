// The keys of this process, made of its secrets, and made anew when the file with them has changed.
//
//   keyring keys(executor, files, std::move(config.secret), seed_peers, link::gate_keys_limit);   // a client has 1
//   next = files.run(limit, keys.looking()); server.renew(*next); keys.take(*next);    // a server
//   options.keys = [&keys] { return keys.latest(); };                            // a client, before each attempt
//
// The file may lie on a disk that hangs, and stretching a secret takes 40 ms (only a new one is stretched): a
// helper does both. Only a -secret-file can be read again (secret_source). One thread.
#pragma once

#include "gotunnel/app/secret_source.hpp"
#include "gotunnel/link/gate_keys.hpp"
#include "gotunnel/net/file_worker.hpp"
#include "gotunnel/net/signal.hpp"

#include <functional>

namespace gotunnel::app {

namespace asio = boost::asio;

/// Many times what a slow board needs for a file and a stretching; a dial has more.
inline constexpr duration look_limit = 3s;

class keyring {
public:
  /// Of the secrets it takes the first `most`. Blocks for the stretching: at start.
  keyring(const net::executor& where, net::file_worker& files, secret_source source, bool seed_peers,
          std::size_t most);

  [[nodiscard]] const link::shared_keys& keys() const noexcept { return keys_; }
  /// What is looked at; empty: there is nothing that could change.
  [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }
  /// For another process, where there is no file (hand_secrets); none when the system has no descriptor left.
  [[nodiscard]] net::descriptor hand_over() const;

  /// A function that blocks, for a helper: the keys as the file is now, keys() itself when nothing has
  /// changed. Throws usage_error.
  [[nodiscard]] std::function<link::shared_keys()> looking() const;
  void take(link::shared_keys keys) noexcept { keys_ = std::move(keys); }

  /// Looks and takes. A file that cannot be used, or hangs, leaves the former keys; that is logged once until
  /// it changes. Askers who come while it looks get the same answer.
  asio::awaitable<link::shared_keys> latest();

private:
  asio::awaitable<void> follow();

  std::filesystem::path file_;
  std::size_t most_;
  net::file_worker& files_;
  link::shared_keys keys_;
  std::string trouble_; ///< the latest that was said
  net::signal looked_;
  bool looking_ = false;
};

} // namespace gotunnel::app
