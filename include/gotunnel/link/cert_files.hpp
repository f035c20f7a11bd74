// The directory of certificates while somebody works in it: opened, found safe, and locked. Failure is a
// sentence that names the file and the remedy.
//
//   const cert_files files(directory, 10s, warnings);       // make(): makes the directory when there is none
//   files.recover(warnings);                                 // what a crash left
//   files.read("ca.crt"); files.commit({{"server.key", key, 0600}, {"server.crt", certificate, 0644}});
//
// A directory that others can write to is refused, for they could exchange the keys. In one that belongs to a
// service user root follows no link (net/directory). Blocking: disk, and `patience` for the lock. One thread.
#pragma once

#include "gotunnel/link/cert_journal.hpp"
#include "gotunnel/net/directory.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gotunnel::link {

/// Names the file, what is wrong with it, and what to do. Ends the program with exit code 2 when thrown at
/// start.
class cert_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Another process has the lock.
class cert_busy : public cert_error {
public:
  using cert_error::cert_error;
};

template <class... Args>
[[noreturn]] void refuse(const std::filesystem::path& file, fmt::format_string<Args...> text,
                         Args&&... args) {
  throw cert_error(fmt::format("{}: {}", file.string(), fmt::format(text, std::forward<Args>(args)...)));
}

class cert_files {
public:
  /// Throws cert_error, and cert_busy when another process holds the lock. A file system without locks is a
  /// warning.
  cert_files(const std::filesystem::path& path, std::chrono::milliseconds patience,
             std::vector<std::string>& warnings);
  [[nodiscard]] static cert_files make(const std::filesystem::path& path, std::chrono::milliseconds patience,
                                       std::vector<std::string>& warnings);

  /// A link exists, wherever it leads: somebody meant a file to be there.
  [[nodiscard]] bool present(const std::string& name) const;
  [[nodiscard]] net::file_content read(const std::string& name) const {
    return read(directory_, path_, name);
  }
  /// All of them or none.
  void commit(const std::vector<cert_journal::file>& files) const;
  /// Completes a change that a crash interrupted, but only if the result fits together: files that somebody
  /// put in place meanwhile are not ours to overwrite.
  void recover(std::vector<std::string>& warnings) const;
  /// A change waits for recover().
  [[nodiscard]] bool interrupted() const { return cert_journal::pending(directory_); }

  [[nodiscard]] std::filesystem::path path_of(std::string_view name) const { return path_ / name; }

private:
  cert_files(net::directory directory, std::filesystem::path path, std::chrono::milliseconds patience,
             std::vector<std::string>& warnings);

  [[nodiscard]] static net::file_content read(const net::directory& directory,
                                              const std::filesystem::path& path, const std::string& name);
  [[noreturn]] void refuse_write(const error_code& why) const;

  std::filesystem::path path_; ///< as the user gave it
  net::directory directory_;
};

} // namespace gotunnel::link
