// How a running server is asked, and told: a Unix socket in its -certs directory, one request line, one JSON
// line back.
//
//   control_socket door(executor, directory, {{"status", {status}}, {"upgrade", {upgrade, 60s}}});
//   if (!door.trouble().empty()) log::warn(...);         // it could not be made: the server runs without it
//   tasks.spawn("control socket", door.serve());          // until it is cancelled, or closed
//
//   const std::string answer = ask_server(directory, "status");          // another process; throws usage_error
//
// A request is a name of the table and the end of the line. An unknown one is answered with
// `{"error":"..."}`, and so is one that is not answered within its limit: its handler is cancelled then, and
// its end awaited. An asker who leaves changes nothing: what was begun goes on. The mode of the socket is
// 0600 and who may enter is decided by the directory, too. A socket that nobody listens on any more is
// replaced; one that somebody does listen on is left alone. One that fails later is made anew. Lines of
// requests are limited to 256 bytes, answers to 1 MiB, asking and reading an answer to 5 s each,
// conversations to 8 at once: further ones are closed. The directory's path may be longer than that of a
// socket: both sides go through the open directory, and follow no link in it. On the worker of the executor,
// which is where handlers run: they must not block.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/directory.hpp"
#include "gotunnel/net/task_group.hpp"

#include <boost/asio/local/stream_protocol.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <sys/types.h>

namespace gotunnel::app {

namespace asio = boost::asio;

inline constexpr const char* control_socket_name = "control.sock";
/// What a request may take that says nothing else.
inline constexpr duration answer_limit = 5s;

class control_socket {
public:
  /// One line of JSON, without its end. Lives as long as the control socket: a coroutine may refer to it.
  using handler = std::function<asio::awaitable<std::string>()>;
  struct request {
    handler answer;
    duration limit = answer_limit; ///< for the answer, once asked
  };
  using request_table = std::map<std::string, request, std::less<>>;

  /// `succeeds`: whoever listens there is the process that this one has taken over from.
  control_socket(const net::executor& where, const std::filesystem::path& directory, request_table requests,
                 bool succeeds = false);
  control_socket(const control_socket&) = delete;
  control_socket& operator=(const control_socket&) = delete;
  ~control_socket() { close(); }

  /// Why there is no socket; empty when there is.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
  /// Returns when it is closed and the last conversation has ended.
  [[nodiscard]] asio::awaitable<void> serve();
  /// Gives the path up, so that another process can have it: nobody new is listened to, and the socket is
  /// removed when the one that lies there is ours. Conversations go on.
  void close();

private:
  using protocol = asio::local::stream_protocol;

  void open(const std::filesystem::path& directory, bool succeeds);
  [[nodiscard]] std::string take_place(bool succeeds);
  [[nodiscard]] std::pair<dev_t, ino_t> identity() const;
  asio::awaitable<void> accept_all();
  asio::awaitable<void> converse(protocol::socket socket);
  [[nodiscard]] asio::awaitable<std::string> answer(std::string_view line);

  net::executor where_;
  std::filesystem::path path_; ///< for people
  std::optional<net::directory> directory_;
  std::pair<dev_t, ino_t> made_{}; ///< which socket of that path is ours
  request_table requests_;
  protocol::acceptor acceptor_;
  net::task_group conversations_;
  std::string trouble_;
  bool closed_ = false;
};

/// The answer of the server whose -certs directory this is; `limit` is that of the request. Throws
/// usage_error when there is none.
[[nodiscard]] std::string ask_server(const std::filesystem::path& directory, std::string_view request,
                                     duration limit = answer_limit);
/// Throws std::runtime_error when the answer is `{"error":"..."}`.
void refuse_error(std::string_view answer);

} // namespace gotunnel::app
