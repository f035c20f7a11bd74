// A question to another worker: runs a function there and resumes here with its answer.
//
//   const int n = co_await ask(front, [&] { return book.size(); });
//   const bool alive = co_await ask_later<bool>(there, [&](auto answer) { session.ping(1s, answer); });
//
// The way in which workers share state without locks: the state has one home, and everybody asks there. A
// coroutine tree never spans two workers. The asker is suspended meanwhile and cannot be cancelled, so what
// the function refers to stays alive. ask_later's function gets a copyable callable that it, or a task it
// starts there, calls exactly once, from any thread.
#pragma once

#include "gotunnel/net/task.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace gotunnel::net {

template <class Answer, class Function>
asio::awaitable<Answer> ask_later(executor there, Function function) {
  const executor here = co_await asio::this_coro::executor;
  auto start = [&there, &here, &function](auto handler) {
    // std::function wants a copyable callable, and `here` must not run dry while the answer is under way.
    auto waiting = std::make_shared<decltype(handler)>(std::move(handler));
    std::function<void(Answer)> answer = [waiting, here,
                                          work = asio::make_work_guard(here)](Answer value) mutable {
      auto resume = [waiting = std::move(waiting), value = std::move(value)]() mutable {
        std::move (*waiting)(std::move(value));
      };
      asio::post(here, std::move(resume));
      work.reset();
    };
    asio::post(there, [&function, answer = std::move(answer)] { function(answer); });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Answer)>(start,
                                                                                       asio::use_awaitable);
}

template <class Function>
asio::awaitable<std::invoke_result_t<Function>> ask(executor there, Function function) {
  using answer = std::invoke_result_t<Function>;
  if constexpr (std::is_void_v<answer>) {
    auto run = [&function](const std::function<void(bool)>& done) {
      function();
      done(true);
    };
    co_await ask_later<bool>(std::move(there), std::move(run));
  } else {
    auto run = [&function](const std::function<void(answer)>& tell) { tell(function()); };
    co_return co_await ask_later<answer>(std::move(there), std::move(run));
  }
}

} // namespace gotunnel::net
