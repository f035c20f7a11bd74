// Blocking TCP on 127.0.0.1 for tests: a listener on a free port, and connections whose reads and writes give
// up by themselves.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace gotunnel::testing {

/// Owns one descriptor. Failures of the system, and the limit of time, are thrown as std::system_error.
class loopback_socket {
public:
  loopback_socket() = default;
  explicit loopback_socket(int descriptor) noexcept : descriptor_(descriptor) {}
  loopback_socket(loopback_socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  loopback_socket& operator=(loopback_socket&& other) noexcept {
    loopback_socket moved(std::move(other));
    std::swap(descriptor_, moved.descriptor_);
    return *this;
  }
  ~loopback_socket();

  [[nodiscard]] static loopback_socket connect(std::uint16_t port);

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// For every single read, write and accept from now on; 30 s at first.
  void limit(std::chrono::milliseconds time) const;
  void set_nonblocking() const;

  void write(std::string_view bytes) const;
  /// Exactly `size` bytes, or fewer when the stream ends before.
  [[nodiscard]] std::string read(std::size_t size) const;
  /// True when the peer ends the stream before another byte comes.
  [[nodiscard]] bool ended() const;
  void shutdown_write() const;

private:
  int descriptor_ = -1;
};

class loopback_listener {
public:
  loopback_listener();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] int descriptor() const noexcept { return socket_.descriptor(); }
  [[nodiscard]] loopback_socket accept() const;

private:
  loopback_socket socket_;
  std::uint16_t port_ = 0;
};

/// A port that nobody has at the moment, for a program that must be told one. It is not an ephemeral one:
/// those may be given to any connection meanwhile, and even an ended connection keeps its port from
/// listeners.
[[nodiscard]] std::uint16_t free_port();

} // namespace gotunnel::testing
