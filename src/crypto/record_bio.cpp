#include "gotunnel/crypto/record_bio.hpp"

#include <algorithm>

namespace gotunnel::crypto {

using namespace ossl;

std::size_t record_port::take(bytes_span to) noexcept {
  if (overflow != nullptr) return 0;
  const bytes_view part = input.first(std::min(to.size(), input.size()));
  if (part.size() > input_budget) {
    overflow = "the handshake is too long";
    return 0;
  }
  if (!part.empty()) std::memcpy(to.data(), part.data(), part.size());
  input = input.subspan(part.size());
  input_budget -= part.size();
  return part.size();
}

bool record_port::put(bytes_view bytes) {
  // Once something went aside, everything behind it must, or the records would leave in the wrong order.
  if (output.empty() && bytes.size() <= target.size() - used) {
    std::memcpy(target.data() + used, bytes.data(), bytes.size());
    used += bytes.size();
    return true;
  }
  if (output.put(bytes)) return true;
  overflow = "the peer demands answers and does not take them";
  return false;
}

namespace {

record_port& port_of(BIO* bio) noexcept { return *static_cast<record_port*>(BIO_get_data(bio)); }

int port_read(BIO* bio, char* data, std::size_t size, std::size_t* done) {
  BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  record_port& port = port_of(bio);
  *done = port.take(std::as_writable_bytes(std::span{data, size}));
  if (*done == 0 && port.overflow == nullptr) BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
  return *done == 0 ? 0 : 1;
}

int port_write(BIO* bio, const char* data, std::size_t size, std::size_t* done) {
  BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  const bool taken = port_of(bio).put(std::as_bytes(std::span{data, size}));
  *done = taken ? size : 0;
  return taken ? 1 : 0;
}

long port_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0; // nothing is held back
}

} // namespace

bio_ptr make_record_bio(record_port& port) {
  static const owner<BIO_METHOD, BIO_meth_free> method = [] {
    owner<BIO_METHOD, BIO_meth_free> made{
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gotunnel records")};
    if (!made || BIO_meth_set_read_ex(made.get(), port_read) != 1 ||
        BIO_meth_set_write_ex(made.get(), port_write) != 1 ||
        BIO_meth_set_ctrl(made.get(), port_control) != 1) {
      fail("BIO method");
    }
    return made;
  }();
  bio_ptr bio{BIO_new(method.get())};
  if (!bio) fail("BIO");
  BIO_set_data(bio.get(), &port);
  BIO_set_init(bio.get(), 1);
  return bio;
}

} // namespace gotunnel::crypto
