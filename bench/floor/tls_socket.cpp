#include "tls_socket.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace bench {
namespace {

/// Per record: header, content type and tag (RFC 8446 5.2).
constexpr std::size_t record_overhead = 22;
constexpr std::size_t cipher_room = tls_socket::batch + 32 * record_overhead;
/// Room for a handshake or an alert beside a full batch.
constexpr std::size_t spare_room = 16 * 1024;

[[noreturn]] void fail_in_openssl(const char* what) {
  char text[256];
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  throw std::runtime_error(std::string(what) + ": " + text);
}

context_ptr make_context(const SSL_METHOD* method) {
  context_ptr context{SSL_CTX_new(method)};
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set_num_tickets(context.get(), 0) != 1) {
    fail_in_openssl("TLS context");
  }
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

} // namespace

/// The far side of the BIO. Not initialized, so that an idle connection touches one page of each.
struct tls_socket::buffers {
  std::unique_ptr<std::byte[]> cipher = std::make_unique_for_overwrite<std::byte[]>(cipher_room);
  std::span<const std::byte> input; ///< of `cipher`, what OpenSSL has not taken
  std::unique_ptr<std::byte[]> sealed = std::make_unique_for_overwrite<std::byte[]>(cipher_room + spare_room);
  std::size_t used = 0; ///< of `sealed`

  static buffers& of(BIO* bio) { return *static_cast<buffers*>(BIO_get_data(bio)); }

  static int take(BIO* bio, char* to, std::size_t size, std::size_t* done) {
    buffers& self = of(bio);
    BIO_clear_retry_flags(bio);
    *done = std::min(size, self.input.size());
    if (*done == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(to, self.input.data(), *done);
    self.input = self.input.subspan(*done);
    return 1;
  }

  static int put(BIO* bio, const char* from, std::size_t size, std::size_t* done) {
    buffers& self = of(bio);
    BIO_clear_retry_flags(bio);
    *done = 0;
    if (size > cipher_room + spare_room - self.used) return 0;
    std::memcpy(self.sealed.get() + self.used, from, size);
    self.used += size;
    *done = size;
    return 1;
  }

  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO* make_bio(buffers& self) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "bench buffers");
      BIO_meth_set_read_ex(made, take);
      BIO_meth_set_write_ex(made, put);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* bio = BIO_new(method);
    BIO_set_data(bio, &self);
    BIO_set_init(bio, 1);
    return bio;
  }
};

context_ptr make_entry_context() { return make_context(TLS_client_method()); }

context_ptr make_exit_context(const char* certificate, const char* key) {
  context_ptr context = make_context(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key, SSL_FILETYPE_PEM) != 1) {
    fail_in_openssl(certificate);
  }
  return context;
}

tls_socket::tls_socket(descriptor socket, SSL_CTX* context, bool accepts)
    : socket_(std::move(socket)), buffers_(std::make_unique<buffers>()), ssl_(SSL_new(context)) {
  if (ssl_ == nullptr) fail_in_openssl("TLS connection");
  BIO* const bio = buffers::make_bio(*buffers_);
  SSL_set_bio(ssl_, bio, bio);
  accepts ? SSL_set_accept_state(ssl_) : SSL_set_connect_state(ssl_);
  try {
    handshake();
  } catch (...) {
    SSL_free(ssl_);
    throw;
  }
}

tls_socket::~tls_socket() { SSL_free(ssl_); }

void tls_socket::handshake() {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_);
    if (done != 1 && SSL_get_error(ssl_, done) != SSL_ERROR_WANT_READ) fail_in_openssl("handshake");
    send_sealed();
    if (done == 1) return;
    if (!receive_cipher()) throw std::runtime_error("the peer left within the handshake");
  }
}

std::size_t tls_socket::read(std::span<std::byte> plain) {
  for (;;) {
    {
      const std::lock_guard lock(openssl_);
      std::size_t opened = 0;
      while (opened < plain.size()) {
        ERR_clear_error();
        std::size_t part = 0;
        const int done = SSL_read_ex(ssl_, plain.data() + opened, plain.size() - opened, &part);
        opened += part;
        if (done == 1) continue;
        if (opened > 0) break; // whatever it was will be said again
        const int why = SSL_get_error(ssl_, done);
        if (why == SSL_ERROR_ZERO_RETURN) return 0;
        if (why != SSL_ERROR_WANT_READ) fail_in_openssl("read");
        break;
      }
      if (opened > 0) return opened;
    }
    if (!receive_cipher()) return 0;
  }
}

void tls_socket::write(std::span<const std::byte> plain) {
  {
    const std::lock_guard lock(openssl_);
    ERR_clear_error();
    std::size_t taken = 0;
    if (SSL_write_ex(ssl_, plain.data(), plain.size(), &taken) != 1) fail_in_openssl("write");
  }
  send_sealed();
}

void tls_socket::finish() {
  {
    const std::lock_guard lock(openssl_);
    SSL_shutdown(ssl_);
  }
  send_sealed();
  shutdown(socket_.get(), SHUT_WR);
}

void tls_socket::abort() noexcept { shutdown(socket_.get(), SHUT_RDWR); }

void tls_socket::send_sealed() {
  send_all(socket_, {buffers_->sealed.get(), buffers_->used});
  buffers_->used = 0;
}

/// Only when OpenSSL has taken everything that was there.
bool tls_socket::receive_cipher() {
  const std::size_t got = receive_some(socket_, {buffers_->cipher.get(), cipher_room});
  buffers_->input = {buffers_->cipher.get(), got};
  return got > 0;
}

} // namespace bench
