// The sessions that outlive their carriers, by the ids that their clients know.
//
//   book.add(id, session); ... book.remove(id);                 // on the front worker
//   on = co_await book.ask(hello);                               // from any worker; resumes there
//
// Only whoever knows the id, and is the client and the process that got it, with a carrier newer than all
// before, gets the session to go on; it has put its former carrier out of use by then. The book lives on the
// front worker; sessions live on workers of their own.
#pragma once

#include "gotunnel/link/acceptor.hpp"

#include <functional>
#include <map>
#include <memory>

namespace gotunnel::reverse {

namespace asio = boost::asio;

/// Every call is made on the session's own worker, `where()`, apart from where() itself.
class resumable {
public:
  using answer_function = std::function<void(std::optional<link::acceptor::resumption>)>;

  virtual ~resumable() = default;

  [[nodiscard]] virtual net::executor where() const = 0;
  /// Calls `answer` once, here: with how to go on, or with nothing when this client may not.
  virtual void come_back(const wire::client_hello& hello, answer_function answer) = 0;
};

class resume_book {
public:
  explicit resume_book(net::executor front) : front_(std::move(front)) {}

  void add(const wire::peer_id& id, std::weak_ptr<resumable> session) { sessions_[id] = std::move(session); }
  void remove(const wire::peer_id& id) { sessions_.erase(id); }
  [[nodiscard]] asio::awaitable<std::optional<link::acceptor::resumption>>
  ask(const wire::client_hello& hello);

private:
  net::executor front_;
  std::map<wire::peer_id, std::weak_ptr<resumable>> sessions_;
};

} // namespace gotunnel::reverse
