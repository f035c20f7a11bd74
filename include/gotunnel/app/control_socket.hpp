// How a running server is asked: a Unix socket in its -certs directory, one request line, one JSON line back.
//
//   control_socket door(executor, directory, {{"status", [&] { return ...; }}});
//   if (!door.trouble().empty()) log::warn(...);         // it could not be made: the server runs without it
//   tasks.spawn("control socket", door.serve());          // until it is cancelled
//
//   const std::string answer = ask_server(directory, "status");          // another process; throws usage_error
//
// A request is a name of the table and the end of the line. An unknown one is answered with
// `{"error":"..."}`. The mode of the socket is 0600 and who may enter is decided by the directory, too. A
// socket that nobody listens on any more is replaced; one that somebody does listen on is left alone. Lines
// of requests are limited to 256 bytes, answers to 1 MiB, a conversation to 5 s, conversations to 8 at once:
// further ones are closed. On the worker of the executor, which is where handlers run: they must not block.
#pragma once

#include "gotunnel/net/task_group.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace gotunnel::app {

namespace asio = boost::asio;

inline constexpr std::string_view control_socket_name = "control.sock";

class control_socket {
public:
  /// One line of JSON, without its end.
  using handler = std::function<std::string()>;
  using request_table = std::map<std::string, handler, std::less<>>;

  control_socket(const net::executor& where, const std::filesystem::path& directory, request_table requests);
  control_socket(const control_socket&) = delete;
  control_socket& operator=(const control_socket&) = delete;
  /// Removes the socket, when it is ours.
  ~control_socket();

  /// Why there is no socket; empty when there is.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
  [[nodiscard]] asio::awaitable<void> serve();

private:
  using protocol = asio::local::stream_protocol;

  void open();
  asio::awaitable<void> accept_all();
  asio::awaitable<void> converse(protocol::socket socket);
  [[nodiscard]] std::string answer(std::string_view request) const;

  net::executor where_;
  std::filesystem::path path_;
  request_table requests_;
  protocol::acceptor acceptor_;
  net::task_group conversations_;
  std::string trouble_;
};

/// The answer of the server whose -certs directory this is. Throws usage_error when there is none.
[[nodiscard]] std::string ask_server(const std::filesystem::path& directory, std::string_view request);

} // namespace gotunnel::app
