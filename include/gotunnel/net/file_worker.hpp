// A helper for what blocks: files, which may lie on a disk that hangs, locks that somebody else holds, the
// stretching of a secret. The worker that asks goes on with its sessions meanwhile.
//
//   file_worker files;                                                     // outlives those who ask
//   const auto found = co_await files.run(3s, [path] { return look(path); });   // result<what look() returns>
//   if (!found) ...;                                                       // go on with what you had
//
// The work runs on a thread of its own, with copies of what it needs: it may go on when its asker has left.
// The asker gets what it returned or threw; errc::timed_out once the limit has passed; and errc::busy, at
// once, while work that timed out still hangs (the same disk would hang the next one, too) or `most` are
// under way. Leaving is never held up by work that hangs: the destructor gives what is under way a moment,
// and leaves the rest to the end of the process. run() may be called on any worker.
#pragma once

#include "gotunnel/base/clock.hpp"
#include "gotunnel/base/error.hpp"
#include "gotunnel/net/task.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace gotunnel::net {

class file_worker {
public:
  explicit file_worker(std::size_t most = 4);
  file_worker(const file_worker&) = delete;
  file_worker& operator=(const file_worker&) = delete;
  ~file_worker();

  /// `work` takes nothing, and returns a value. What it throws is thrown here.
  template <class Work>
  [[nodiscard]] task<std::invoke_result_t<Work>> run(duration limit, Work work) {
    using answer = std::invoke_result_t<Work>;
    struct job {
      explicit job(Work given) : work(std::move(given)) {}
      Work work;
      std::optional<answer> value;
      std::exception_ptr thrown;
    };
    const auto made = std::make_shared<job>(std::move(work));
    std::function<void()> act = [made] {
      try {
        made->value.emplace(made->work());
      } catch (...) {
        made->thrown = std::current_exception();
      }
    };
    const result<> done = co_await perform(limit, std::move(act));
    if (!done) co_return done.error();
    if (made->thrown) std::rethrow_exception(made->thrown);
    co_return std::move(*made->value);
  }

private:
  struct crew;

  [[nodiscard]] task<> perform(duration limit, std::function<void()> work);

  std::shared_ptr<crew> crew_; ///< shared with the threads, which may outlive us
};

} // namespace gotunnel::net
