#include "gotunnel/app/shutdown.hpp"

#include "gotunnel/base/log.hpp"
#include "gotunnel/base/output.hpp"

#include <csignal>
#include <cstdlib>

namespace gotunnel::app {

asio::awaitable<int> stop_signal(asio::signal_set& signals) {
  auto [ec, number] = co_await signals.async_wait(net::token);
  co_return ec ? 0 : number;
}

asio::awaitable<void> exit_on_signal(asio::signal_set& signals) {
  const int number = co_await stop_signal(signals);
  if (number == 0) co_return;
  log::warn("app", "signalled again: ending at once");
  output::of_process().flush(output::farewell);
  std::_Exit(128 + number);
}

} // namespace gotunnel::app
