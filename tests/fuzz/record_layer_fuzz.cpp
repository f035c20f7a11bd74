// TLS records after the handshake: bytes of a stranger, and records that a peer with the keys sealed, mixed.
// Fed whole or in pieces they mean the same.
//
// The input: control bytes, each followed by what it announces. 0..127: so many raw bytes. 128..255: a length
// (2 bytes), a type (1 byte) and plain text for a record that is sealed.
#include "gotunnel/crypto/record_layer.hpp"

#include "gotunnel/crypto/ossl.hpp"

#include <array>
#include <cstdlib>

namespace {

using namespace gotunnel;
using namespace gotunnel::crypto;

const SSL_CIPHER* suite() {
  static const ossl::ssl_context_ptr context{SSL_CTX_new(TLS_method())};
  static const ossl::ssl_ptr ssl{SSL_new(context.get())};
  const std::array<unsigned char, 2> aes_128_gcm_sha256 = {0x13, 0x01};
  return SSL_CIPHER_find(ssl.get(), aes_128_gcm_sha256.data());
}

constexpr std::array<std::byte, 32> ours{std::byte{1}};
constexpr std::array<std::byte, 32> theirs{std::byte{2}};

std::vector<std::byte> wire_of(bytes_view script) {
  record_cipher peer(record_cipher::use::seal, suite(), theirs);
  std::vector<std::byte> wire;
  const auto take = [&script](std::size_t size) {
    const bytes_view part = script.first(std::min(size, script.size()));
    script = script.subspan(part.size());
    return part;
  };
  while (!script.empty()) {
    const auto control = std::to_integer<std::size_t>(take(1)[0]);
    if (control < 128) {
      const bytes_view raw = take(control);
      wire.insert(wire.end(), raw.begin(), raw.end());
      continue;
    }
    const bytes_view head = take(3);
    if (head.size() < 3) break;
    const bytes_view plain =
        take(std::min<std::size_t>(load_be16(head.first(2)), record_cipher::plain_limit));
    std::vector<std::byte> record(plain.size() + record_cipher::overhead);
    record.resize(peer.seal(static_cast<record_type>(head[2]), plain, record));
    // A real peer changes its key behind its KeyUpdate.
    if (head[2] == std::byte{22} && plain.size() == 5 && plain[0] == std::byte{24}) peer.update();
    wire.insert(wire.end(), record.begin(), record.end());
  }
  return wire;
}

struct outcome {
  std::vector<std::byte> plain;
  bool closed = false;
  std::string failure;
  std::size_t said = 0;
  friend bool operator==(const outcome&, const outcome&) = default;
};

outcome hear(bytes_view wire, std::size_t piece, std::size_t room) {
  record_output output;
  record_layer layer({suite(), ours, theirs}, output);
  outcome result;
  std::vector<std::byte> to(room);
  while (!wire.empty() && !layer.broken()) {
    const bytes_view part = wire.first(std::min(piece, wire.size()));
    wire = wire.subspan(part.size());
    layer.feed(part);
    do {
      const auto got = layer.read(to);
      if (!got) break;
      if (*got > to.size()) std::abort();
      result.plain.insert(result.plain.end(), to.begin(), to.begin() + static_cast<std::ptrdiff_t>(*got));
    } while (layer.pending_input() > 0);
  }
  result.closed = layer.closed();
  result.failure = layer.failure();
  result.said = output.size();
  if (result.said > record_output::limit) std::abort();
  return result;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto wire = wire_of(std::as_bytes(std::span{data, size}));
  const outcome whole = hear(wire, SIZE_MAX, 70'000);
  if (whole != hear(wire, 1, 70'000) || whole != hear(wire, 1000, 333)) std::abort();
  return 0;
}
