#include "gotunnel/reverse/resume_book.hpp"

#include "gotunnel/net/ask.hpp"

namespace gotunnel::reverse {

asio::awaitable<std::optional<link::acceptor::resumption>> resume_book::ask(const wire::client_hello& hello) {
  auto find = [this, &hello] {
    const auto found = sessions_.find(hello.session);
    return found == sessions_.end() ? nullptr : found->second.lock();
  };
  const std::shared_ptr<resumable> session = co_await net::ask(front_, find);
  if (!session) co_return std::nullopt;
  auto come_back = [&session, &hello](resumable::answer_function answer) {
    session->come_back(hello, std::move(answer));
  };
  co_return co_await net::ask_later<std::optional<link::acceptor::resumption>>(session->where(), come_back);
}

} // namespace gotunnel::reverse
