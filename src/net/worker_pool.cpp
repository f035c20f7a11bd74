#include "gotunnel/net/worker_pool.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <thread>

namespace gotunnel::net {

worker_pool::worker_pool(std::size_t count) {
  for (std::size_t i = 0; i < std::max<std::size_t>(count, 1); ++i)
    workers_.push_back(std::make_unique<worker>());
}

void worker_pool::run() {
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < workers_.size(); ++i)
    threads.emplace_back([each = workers_[i].get()] { each->context_.run(); });
  workers_.front()->context_.run();
}

void worker_pool::release() {
  for (const auto& each : workers_) asio::post(each->where(), [w = each.get()] { w->work_.reset(); });
}

} // namespace gotunnel::net
