#include "gotunnel/net/file_worker.hpp"

#include "gotunnel/net/deadline.hpp"
#include "gotunnel/net/signal.hpp"

#include <boost/asio/post.hpp>

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace gotunnel::net {
namespace {

constexpr auto last_moment = std::chrono::seconds(1); ///< files that do not hang need milliseconds

/// The asker's: it lives and dies on the asker's worker.
struct asker {
  explicit asker(const executor& at) : where(at), changed(at) {}

  executor where;
  signal changed;
  bool done = false;
};

/// Between the thread that works and the coroutine that waits, which may have left, and its worker with it.
struct meeting {
  std::mutex mutex;
  std::shared_ptr<asker> with;
};

void tell(meeting& at) {
  const std::lock_guard guard(at.mutex);
  if (!at.with) return;
  // Posted as long as the asker is there, and it is there as long as its context.
  asio::post(at.with->where, [with = at.with] {
    with->done = true;
    with->changed.notify();
  });
}

} // namespace

struct file_worker::crew {
  struct job {
    bool over = false;
    bool given_up = false;
  };

  explicit crew(std::size_t limit) : most(limit) {}

  [[nodiscard]] std::shared_ptr<job> begin() {
    const std::lock_guard guard(mutex);
    if (hanging > 0 || running == most) return nullptr;
    ++running;
    return std::make_shared<job>();
  }
  void end(job& which) {
    const std::lock_guard guard(mutex);
    which.over = true;
    --running;
    if (which.given_up) --hanging;
    ended.notify_all();
  }
  /// False when it has come to its end just now.
  [[nodiscard]] bool give_up(job& which) {
    const std::lock_guard guard(mutex);
    if (which.over) return false;
    which.given_up = true;
    ++hanging;
    return true;
  }

  const std::size_t most;
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t running = 0;
  std::size_t hanging = 0; ///< of the running: their askers have given up
};

file_worker::file_worker(std::size_t most) : crew_(std::make_shared<crew>(most)) {}

file_worker::~file_worker() {
  std::unique_lock lock(crew_->mutex);
  crew_->ended.wait_for(lock, last_moment, [this] { return crew_->running == crew_->hanging; });
}

task<> file_worker::perform(duration limit, std::function<void()> work) {
  const executor here = co_await asio::this_coro::executor;
  const auto shared = crew_;
  const auto job = shared->begin();
  if (!job) co_return errc::busy;
  const auto self = std::make_shared<asker>(here);
  const auto place = std::make_shared<meeting>();
  place->with = self;
  try {
    std::thread([shared, job, place, work = std::move(work)]() mutable {
      work();
      work = nullptr; // before the asker, or the end of the process, goes on
      shared->end(*job);
      tell(*place);
    }).detach();
  } catch (const std::system_error& no_thread) {
    shared->end(*job);
    co_return error_code(no_thread.code());
  }

  struct farewell {
    ~farewell() {
      const std::lock_guard guard(place.mutex);
      place.with.reset();
    }
    meeting& place;
  } const however_we_leave{*place};
  const deadline late(here, limit, [self] { self->changed.notify(); });
  while (!self->done && !late.expired()) co_await self->changed.wait();
  if (!self->done && shared->give_up(*job)) co_return errc::timed_out;
  co_return result<>();
}

} // namespace gotunnel::net
