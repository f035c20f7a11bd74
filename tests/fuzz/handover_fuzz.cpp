// What a server is given by the process before it (reverse/handover.hpp), by one that gives anything.
//
// The input is a row of parcels, each a length (u16 LE), a byte whose lowest bit says whether a descriptor
// comes along, and its bytes. Whether the server takes all of it or refuses, nothing is left behind.
#include "gotunnel/reverse/server.hpp"

#include "fuzz/fuzz_input.hpp"

#include "gotunnel/base/log.hpp"
#include "support/gate.hpp"

#include <unistd.h>

using namespace gotunnel;
using namespace gotunnel::reverse;
using testing::fuzz_input;

namespace {

const log::listener nowhere = [](log::level, std::string_view, std::string_view) {};

/// A listener for whatever wants a descriptor: it is right for a door, and wrong for a visitor.
int listener() {
  static asio::io_context context;
  static net::tcp_listener made = net::tcp_listener::open(context.get_executor(), {"127.0.0.1", 0}).value();
  return made.handle();
}

wire::port_set no_ports() { return std::get<wire::port_set>(wire::port_set::parse("1")); }

void give(net::parcel_socket& to, fuzz_input& input) {
  // What the other end has not read yet has to fit into the socket.
  for (int left = 64; left > 0 && !input.empty(); --left) {
    const std::size_t size = input.next() | (input.next() << 8U);
    const bool attached = (input.next() & 1U) != 0;
    if (!to.send(input.take(size), 10ms, attached ? listener() : -1)) return;
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  log::divert(&nowhere);
  fuzz_input input({reinterpret_cast<const std::byte*>(data), size});
  net::worker_pool pool(2);
  server next(pool, {{{asio::ip::address_v4::loopback()}, no_ports()},
                     testing::right_keys(),
                     *testing::tls_contexts::common().server});
  auto ends = net::parcel_socket::pair().value();
  give(ends.first, input);
  ends.first = net::parcel_socket(net::descriptor());
  // It cannot succeed: nobody is there to say `go` after `taken`.
  testing::require(!next.take_over(ends.second).has_value());
  return 0;
}
