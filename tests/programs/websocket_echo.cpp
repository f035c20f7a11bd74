// A WebSocket echo by Boost.Beast, both ends: `serve` prints its port and echoes; `check PORT` sends messages
// of many sizes and compares what comes back. Blocking; a peer for tests/programs/run.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using tcp = asio::ip::tcp;
using web_socket = beast::websocket::stream<tcp::socket>;

void echo(tcp::socket socket) {
  try {
    web_socket peer(std::move(socket));
    peer.accept();
    for (;;) {
      beast::flat_buffer message;
      peer.read(message);
      peer.text(peer.got_text());
      peer.write(message.data());
    }
  } catch (const boost::system::system_error&) {
    // The peer closed: that is how every conversation ends.
  }
}

int serve() {
  asio::io_context context;
  std::vector<std::jthread> conversations;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::cout << "listening " << acceptor.local_endpoint().port() << std::endl;
  for (;;) {
    tcp::socket socket = acceptor.accept();
    conversations.emplace_back([socket = std::move(socket)]() mutable { echo(std::move(socket)); });
  }
}

int check(unsigned short port) {
  asio::io_context context;
  tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  web_socket peer(std::move(socket));
  peer.handshake("localhost", "/");
  std::size_t messages = 0;
  for (std::size_t size = 0; size <= 1'000'000; size = size * 3 + 1, ++messages) {
    const std::string sent(size, static_cast<char>('a' + messages % 26));
    peer.text(true);
    peer.write(asio::buffer(sent));
    beast::flat_buffer back;
    peer.read(back);
    if (beast::buffers_to_string(back.data()) != sent) {
      std::cout << "a message of " << size << " bytes came back changed\n";
      return 1;
    }
  }
  peer.close(beast::websocket::close_code::normal);
  std::cout << messages << " messages of up to 1 MB echoed\n";
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "serve") return serve();
  if (what == "check" && argc == 3) return check(static_cast<unsigned short>(std::atoi(argv[2])));
  std::cerr << "usage: websocket_echo serve | check PORT\n";
  return 2;
}
