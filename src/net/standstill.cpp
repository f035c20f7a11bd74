#include "gotunnel/net/standstill.hpp"

#include <boost/asio/post.hpp>

#include <condition_variable>
#include <mutex>

namespace gotunnel::net {
namespace {

/// Where the workers meet.
class meeting {
public:
  /// Counts somebody in, and keeps it until release().
  void rest() {
    std::unique_lock lock(mutex_);
    ++resting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return released_; });
  }
  /// Counts somebody out.
  void leave() {
    const std::lock_guard lock(mutex_);
    --resting_;
    changed_.notify_all(); // inside the lock: the last to leave lets the meeting end
  }
  void await(std::size_t resting) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, resting] { return resting_ == resting; });
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t resting_ = 0;
  bool released_ = false;
};

} // namespace

void standstill(worker_pool& pool, const std::function<void()>& look,
                const std::function<void(std::size_t worker)>& after) {
  meeting place;
  for (std::size_t i = 1; i < pool.size(); ++i) {
    auto attend = [&place, &after, i] {
      place.rest();
      after(i);
      place.leave();
    };
    asio::post(pool.at(i).where(), attend);
  }
  place.await(pool.size() - 1);
  look();
  place.release();
  after(0);
  place.await(0);
}

} // namespace gotunnel::net
