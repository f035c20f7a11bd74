// What the process may no longer do once it serves: Landlock for files, seccomp for system calls.
//
//   log::debug("app", "{}", enter_sandbox(mode, {.writable = {certs}, .read_again = file}));
//
// After everything was opened, and before threads are started: both hold for the calling thread and what it
// starts, for ever. Files: everything below `writable`, but no links, devices or pipes; reading the files
// beside `read_again`, and where the C library and OpenSSL look when they resolve names (/etc, libraries);
// nothing else, programs included. System calls: app/system_call_filter. Abstract Unix sockets and signals
// end at the sandbox where the kernel has scopes (Landlock 6); Unix sockets with a path do not. Descriptors
// that are open stay open. PR_SET_NO_NEW_PRIVS: a set-uid program gains nothing by being started from here.
//
// `automatic` takes what the kernel has; `on` throws usage_error where either of the two is missing.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gotunnel::app {

enum class sandbox_mode { off, automatic, on };

/// `on`, `off` or `auto`.
[[nodiscard]] std::optional<sandbox_mode> parse_sandbox_mode(std::string_view text) noexcept;

struct sandbox_rules {
  std::vector<std::filesystem::path> writable; ///< directories; those that do not exist are skipped
  /// A file; empty: none. A rule holds for the file that was there, and this one may be replaced by another
  /// of its name: so it is for all files below its places (app/name_files).
  std::filesystem::path read_again{};
};

/// What was done, for the log.
std::string enter_sandbox(sandbox_mode mode, const sandbox_rules& rules);

} // namespace gotunnel::app
