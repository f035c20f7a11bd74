#include "path.hpp"

#include <sys/socket.h>

#include <exception>
#include <memory>
#include <thread>

namespace bench {
namespace {

/// Uninitialized: an idle visitor touches one page of it.
struct block {
  std::unique_ptr<std::byte[]> bytes = std::make_unique_for_overwrite<std::byte[]>(tls_socket::batch);
  [[nodiscard]] std::span<std::byte> all() const { return {bytes.get(), tls_socket::batch}; }
};

void seal_all(const descriptor& plain, tls_socket& secret) {
  const block room;
  while (const std::size_t got = receive_some(plain, room.all())) secret.write(room.all().first(got));
  secret.finish();
}

void open_all(const descriptor& plain, tls_socket& secret) {
  const block room;
  while (const std::size_t got = secret.read(room.all())) send_all(plain, room.all().first(got));
  shutdown(plain.get(), SHUT_WR);
}

} // namespace

void carry(descriptor plain, tls_socket& secret) {
  const auto either = [&](void (*direction)(const descriptor&, tls_socket&)) {
    try {
      direction(plain, secret);
    } catch (const std::exception&) { // a side went away: so does the other
      shutdown(plain.get(), SHUT_RDWR);
      secret.abort();
    }
  };
  const std::jthread inward([&] { either(open_all); });
  either(seal_all);
}

} // namespace bench
