// The threads of the program: one io_context each, so that what lives on a worker needs no lock.
//
//   worker_pool pool(2);
//   pool.front()                        // the worker of main(): signals, listeners, the book of ports
//   pool.at(i).load                     // sessions count themselves where they live, so that new ones find the lightest
//   pool.run();                         // the calling thread becomes the front worker; returns when every context has run dry
//
#pragma once

#include "gotunnel/net/task.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace gotunnel::net {

class worker {
public:
  worker() : context_(1), work_(asio::make_work_guard(context_)) {}

  [[nodiscard]] executor where() { return context_.get_executor(); }

  std::atomic<int> load{0}; ///< sessions that live here

private:
  friend class worker_pool;
  asio::io_context context_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
};

class worker_pool {
public:
  explicit worker_pool(std::size_t count);

  [[nodiscard]] worker& front() { return *workers_.front(); }
  [[nodiscard]] worker& at(std::size_t index) { return *workers_.at(index); }
  [[nodiscard]] std::size_t size() const noexcept { return workers_.size(); }

  void run();
  /// From any thread: no more work will come; run() returns when what is under way has ended.
  void release();

private:
  std::vector<std::unique_ptr<worker>> workers_;
};

} // namespace gotunnel::net
