// Which session holds which public port: the listeners, and who gets the visitors.
//
// The book lives on the front worker; sessions on other workers ask it (net/ask). A listener belongs to the
// book and not to a session, so a client that comes back takes its port over while visitors keep queueing:
// the listener is never closed in between. An accepted socket is born on the holder's worker and handed to
// the holder there.
//
// Who may take a held port: the same client and process at once; the same client id from another process when
// the old session does not answer a ping within a second (else the newcomer is told that a live copy holds
// it); nobody else.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/net/task_group.hpp"
#include "gotunnel/net/tcp.hpp"
#include "gotunnel/wire/control.hpp"
#include "gotunnel/wire/psk_auth.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace gotunnel::reverse {

namespace asio = boost::asio;

inline constexpr duration liveness_limit = 1s;

/// A connection to a public port, on its way to the session that holds the port.
struct visitor {
  visitor(asio::ip::tcp::socket connection, asio::ip::tcp::endpoint from, std::uint64_t service_id)
      : socket(std::move(connection)), peer(std::move(from)), service(service_id) {}

  asio::ip::tcp::socket socket;
  asio::ip::tcp::endpoint peer;
  std::uint64_t service; ///< id of the holder's bind
};

/// What the book needs of a session. Every call is made on the session's own worker, `where()`, apart from
/// where() itself.
class port_holder {
public:
  virtual ~port_holder() = default;

  [[nodiscard]] virtual net::executor where() const = 0;
  virtual void welcome(visitor who) = 0;
  /// Calls `answer` once, here: true as soon as the client answers a ping, false when `limit` passes or the
  /// session ends.
  virtual void ping(duration limit, std::function<void(bool)> answer) = 0;
  /// A newer session of the same client has taken the port; this one ends.
  virtual void superseded() = 0;
};

using holder_ptr = std::shared_ptr<port_holder>;

struct bind_question {
  std::uint16_t port = 0; ///< 0: the book chooses
  std::uint64_t service = 0;
  holder_ptr holder;
  std::string client_address; ///< for people
  /// Client and instance; none for a seed peer.
  std::optional<std::pair<wire::peer_id, wire::peer_id>> identity;
};

struct port_policy {
  std::string bind_host; ///< public side; empty: all addresses
  wire::port_set allowed;
};

class port_book {
public:
  port_book(net::executor front, port_policy policy);

  /// bound_answer, or error_answer with a code and a sentence for the client's user. From any worker; resumes
  /// there.
  [[nodiscard]] asio::awaitable<wire::control_message> bind(bind_question question);
  // The rest on the front worker:
  /// Closes the port if this holder has it; connections that were accepted go on.
  void release(const port_holder& holder, std::uint16_t port);
  void release_all(const port_holder& holder);

  /// Closes all listeners and takes no more.
  void close();
  asio::awaitable<void> join();

private:
  struct entry;

  using answer_function = std::function<void(wire::control_message)>;

  asio::awaitable<void> bind_and_answer(bind_question question, answer_function answer);
  [[nodiscard]] asio::awaitable<wire::control_message> bind_here(bind_question question);
  [[nodiscard]] result<net::tcp_listener> listen(std::uint16_t port) const;
  [[nodiscard]] asio::awaitable<std::optional<wire::error_answer>> settle(const bind_question& question,
                                                                          std::shared_ptr<entry> held);
  asio::awaitable<void> accept_visitors(std::shared_ptr<entry> port);

  net::executor front_;
  port_policy policy_;
  std::map<std::uint16_t, std::shared_ptr<entry>> ports_;
  net::task_group tasks_; ///< accept loops and questions under way
  bool closed_ = false;
};

} // namespace gotunnel::reverse
