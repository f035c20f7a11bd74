// Owns one descriptor of the kernel.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace gotunnel::wan {

/// Throws what errno says: `doing: No such file or directory`.
[[noreturn]] inline void fail(const std::string& doing, int error = errno) {
  throw std::system_error(error, std::generic_category(), doing);
}

class descriptor {
public:
  descriptor() = default;
  explicit descriptor(int number) noexcept : number_(number) {}
  /// The answer of a system call that makes one; throws when it failed.
  descriptor(int number, const std::string& doing) : number_(number) {
    if (number < 0) fail(doing);
  }
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    descriptor moved(std::move(other));
    std::swap(number_, moved.number_);
    return *this;
  }
  ~descriptor() { close(); }

  [[nodiscard]] int get() const noexcept { return number_; }
  void close() noexcept {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

private:
  int number_ = -1;
};

} // namespace gotunnel::wan
