#include "gotunnel/net/task_group.hpp"

#include "gotunnel/base/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <cassert>

namespace gotunnel::net {

task_group::task_group(executor where, std::string channel)
    : where_(std::move(where)), channel_(std::move(channel)), emptied_(where_) {}

task_group::~task_group() { assert(children_.empty()); }

void task_group::spawn(const char* what, asio::awaitable<void> task) {
  if (cancelled_) return;
  const auto which = children_.emplace(children_.end());
  which->what = what;
  asio::co_spawn(
      where_, std::move(task),
      asio::bind_cancellation_slot(
          which->signal.slot(), [this, which](const std::exception_ptr& failure) { ended(which, failure); }));
}

void task_group::cancel() {
  cancelled_ = true;
  // A cancelled operation completes through the executor, never inside emit(), so the list stays as it is
  // here.
  for (child& each : children_) each.signal.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> task_group::join() {
  // A joiner that is itself cancelled still has to wait: its children point into it.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  while (!children_.empty()) co_await emptied_.wait();
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
}

void task_group::ended(std::list<child>::iterator which, const std::exception_ptr& failure) {
  const char* what = which->what;
  children_.erase(which);
  if (failure) {
    static log::limit often;
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted)
        log::error(often, channel_, "{} failed: {}", what, e.what());
    } catch (const std::exception& e) {
      log::error(often, channel_, "{} failed: {}", what, e.what());
    }
  }
  if (children_.empty()) emptied_.notify();
}

} // namespace gotunnel::net
