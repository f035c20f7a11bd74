// One TLS 1.3 connection, AES-128-GCM, over a blocking socket: as few system calls as OpenSSL allows.
//
// OpenSSL works on our buffers through a BIO: a write() seals up to 32 records and sends them with one call;
// a read() opens every whole record that one recv(2) brought. One thread may read while another writes: a
// lock guards OpenSSL, which is never held during a system call.
#pragma once

#include "sockets.hpp"

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>

namespace bench {

struct context_deleter {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using context_ptr = std::unique_ptr<SSL_CTX, context_deleter>;

/// The side that dials. It trusts everybody: what is measured is the cost of the bytes.
context_ptr make_entry_context();
/// The side that accepts; PEM files.
context_ptr make_exit_context(const char* certificate, const char* key);

class tls_socket {
public:
  static constexpr std::size_t batch = std::size_t{32} * 16 * 1024; ///< plain bytes of the 32 records

  /// Takes the handshake to its end.
  tls_socket(descriptor socket, SSL_CTX* context, bool accepts);
  ~tls_socket();
  tls_socket(const tls_socket&) = delete;
  tls_socket& operator=(const tls_socket&) = delete;

  std::size_t read(std::span<std::byte> plain); ///< 0 at the end
  void write(std::span<const std::byte> plain); ///< `batch` bytes at most
  void finish();                                ///< nothing more will be written
  void abort() noexcept;                        ///< wakes both threads

private:
  struct buffers;

  void handshake();
  void send_sealed();
  bool receive_cipher();

  descriptor socket_;
  std::unique_ptr<buffers> buffers_;
  std::mutex openssl_;
  SSL* ssl_ = nullptr;
};

} // namespace bench
