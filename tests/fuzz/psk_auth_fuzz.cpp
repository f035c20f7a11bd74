// Both hellos: no input without the key is accepted, and any field survives being written and read.
#include "gotunnel/wire/psk_auth.hpp"

#include <algorithm>
#include <cstdlib>

using namespace gotunnel;
using namespace gotunnel::wire;

namespace {

/// Takes bytes off the input; zeros when it is used up.
class source {
public:
  explicit source(bytes_view from) : from_(from) {}

  template <std::size_t Size>
  std::array<std::byte, Size> array() {
    std::array<std::byte, Size> value{};
    const bytes_view part = from_.first(std::min(Size, from_.size()));
    std::copy(part.begin(), part.end(), value.begin());
    from_ = from_.subspan(part.size());
    return value;
  }
  std::uint32_t number() { return load_be32(array<4>()); }

private:
  bytes_view from_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  source from{std::as_bytes(std::span{data, size})};
  psk_context context;
  context.key.span()[0] = std::byte{1};

  // As bytes off the network: a proof by HMAC-SHA256 cannot be guessed.
  const auto first = from.array<hello_size>();
  const auto second = from.array<hello_size>();
  if (read_client_hello(first, context) || read_server_hello(second, first, context)) std::abort();

  // As fields of ours.
  client_hello client;
  client.capabilities = from.number();
  client.generation = from.number();
  client.client = from.array<16>();
  client.instance = from.array<16>();
  client.session = from.array<16>();
  client.nonce = from.array<20>();
  client.window = from.number();
  client.received = load_be64(from.array<8>());
  const hello_bytes client_bytes = make_client_hello(client, context);
  const auto read_client = read_client_hello(client_bytes, context);
  if (!read_client || *read_client != client) std::abort();

  server_hello server;
  server.status = static_cast<hello_status>(from.number() % 4);
  server.capabilities = from.number();
  server.generation = from.number();
  server.session = from.array<16>();
  server.nonce = from.array<32>();
  server.received = load_be64(from.array<8>());
  server.window = from.number();
  const auto read_server =
      read_server_hello(make_server_hello(server, client_bytes, context), client_bytes, context);
  const bool welcome = server.status == hello_status::accepted || server.status == hello_status::busy;
  if (read_server.has_value() != welcome || (welcome && *read_server != server)) std::abort();
  return 0;
}
